"""Keys are declared once, and a key that is added later renames no run of history."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated

import pyarrow.parquet as pq
import pytest

from benchmark_tasks.catalog import LengthDistribution
from benchmark_tasks.imports import mlenergy
from benchmark_tasks.plan.sweep import Sweep, SweepPoint
from benchmark_tasks.results import identity, summary
from benchmark_tasks.results.identity import (
    ADDED_LATER,
    CONFIGURATION_KEYS,
    Comparability,
    Configuration,
    Workload,
)
from benchmark_tasks.results.schema import Run
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.leaderboard import write_leaderboard
from benchmark_tasks.testing.samples import sample_generation_run, sample_run
from benchmark_tasks.vocabulary import OutputUnit, Task
from benchmark_tasks.workloads.sampling import Sampling
from benchmarks.published import published_folder

RECORDED = Path(__file__).parents[3] / "recorded_runs"
IDS_OF_RECORDED_RUNS = {
    "2026-11-27": (104, "a2fddd299de3316d3852c7e221f988c11a68fb978404d2014d86d2c0793746e0"),
    "2026-11-28T11": (24, "e29ef95b2564a86a8dd35e0146dc85371bbb80c2ce9c47de2ea6c9be4db27610"),
    "2026-11-28T18": (16, "7e1d7215fe5896c9baaa3ca0f7e6faad7f98757153a7bcfe319bb844ee6bd9fc"),
    "2026-11-29": (32, "9e3ff3a3e8b20a75d90f7516e2a8ff48379e525f52fd8ae85453a3db4ec015f4"),
    "2026-11-29T10": (7, "5e3e5973b4356db76a8d32331f3d8bf48ea5829d6e9dcd3a4411b93bf3fa9e29"),
    "2026-11-29T14": (3, "84ba641182b081310500bcac9b5d6c83e76c99e34154fbea9dfe608e000a5a7f"),
    "2026-11-29T17": (15, "85b450a57a276559b563628bb5cdb479f262885d73edf67219dc40ee3398ba2d"),
    "2026-11-29T19": (31, "261a09dc8adfe70eddee2b1a606ec8ec6a3382d80a37eb44d6d0cc7afc6329ed"),
    "2026-11-30": (25, "1064bcf9f7a10c2fa331a160300315dd60bb81c7a14033bfe842688ddc31bec0"),
    "2026-11-30T05": (10, "0f59477f5e5f72ab95ac9266eebd9c14c743e1863058513da0a5e01696a07f23"),
    "2026-11-30T13": (28, "8a1ba3e28941be31c7df37409e86daf2cf12c375cd141d9d8cab1f0f31e523b2"),
    "2026-11-30T16": (38, "d3df5f2ec6c66d662b64afd18741de96abcac1ea32603ba28ed6e38fb2d51e6a"),
    "2026-11-30T19": (12, "dab2c35f4d0ae9462f0e73af223e591963741d71bfbd8e84792572b9bf4186d5"),
    "2026-11-30T22": (12, "5ca8a4fde6a2087949b48984f869c07522c039529e0114780dd3a165104c264e"),
    "2026-12-01": (13, "82b29a38c56c8462456e92b8557c03632c1a2b9afded032c804b7a3b3f9c285c"),
}
"""How many runs until a time (UTC), and the SHA-256 of `run_id configuration_id` of each, one per line.

Those of before 2026-11-30T05 were written again on 2026-11-30, when 32 runs moved to the history.
"""


class WithLaterKey(Configuration):
    """A configuration after somebody added a key."""

    guidance_scale: Annotated[float | None, ADDED_LATER] = None


@pytest.fixture(scope="module")
def recorded() -> list[Run]:
    """Every run of `recorded_runs/`, in order of its path."""
    paths = sorted(RECORDED.rglob("run.json"))
    return [Run.model_validate_json(path.read_text()) for path in paths]


def test_a_negative_zero_is_the_same_key() -> None:
    idle = sample_run().configuration.model_dump() | {"request_rate": 0.0}
    assert (
        Configuration(**idle | {"request_rate": -0.0}).configuration_id
        == Configuration(**idle).configuration_id
    )
    comparability = sample_run().comparability.model_dump() | {"power_limit_watts": -0.0}
    assert str(Comparability(**comparability).power_limit_watts) == "0.0"
    lengths = {"median_tokens": 5, "minimum_tokens": 1, "maximum_tokens": 9, "source": "a test"}
    assert str(LengthDistribution(sigma=-0.0, **lengths).sigma) == "0.0"
    assert Sampling(temperature=-0.0).mark == Sampling(temperature=0.0).mark
    assert str(Sampling(temperature=-0.0).temperature) == "0.0"


def test_ids_of_recorded_runs_are_what_they_were(recorded: list[Run]) -> None:
    by_time: dict[str, list[str]] = {time: [] for time in sorted(IDS_OF_RECORDED_RUNS)}
    for run in recorded:
        until = next(time for time in by_time if run.started_at.isoformat() < time)
        by_time[until].append(f"{run.run_id} {run.configuration.configuration_id}\n")
    hashes = {
        time: (len(lines), hashlib.sha256("".join(lines).encode()).hexdigest())
        for time, lines in by_time.items()
    }
    assert hashes == IDS_OF_RECORDED_RUNS


def test_a_key_added_later_renames_no_recorded_run(recorded: list[Run]) -> None:
    for run in recorded:
        later = WithLaterKey(**run.configuration.model_dump())
        assert later.configuration_id == run.configuration.configuration_id
        with_value = later.model_copy(update={"guidance_scale": 4.5})
        assert with_value.configuration_id != run.configuration.configuration_id


def test_a_key_added_later_renames_no_imported_row(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    published = published_folder() or write_leaderboard(tmp_path / "sample")
    mlenergy.import_results(str(published), settings)
    folder = mlenergy.current(settings)
    assert folder is not None
    rows = pq.read_table(folder / "mlenergy_configurations.parquet").to_pylist()
    assert rows
    for row in rows:
        later = WithLaterKey(**{key: row[key] for key in CONFIGURATION_KEYS})
        assert later.configuration_id == row["configuration_id"]


def test_todays_keys_are_in_the_id_also_while_they_are_null() -> None:
    configuration = sample_run().configuration
    todays = configuration.model_dump(mode="json", exclude=set(identity.KEYS_ADDED_LATER))
    canonical = json.dumps(todays, sort_keys=True, separators=(",", ":"))
    assert '"height":null' in canonical
    expected = hashlib.sha256(canonical.encode()).hexdigest()[:16]
    assert configuration.configuration_id == expected


def test_an_import_from_before_a_key_has_it_as_null(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow as pa

    from benchmark_tasks.imports import tables

    pq.write_table(pa.table({"model_id": ["a/b"]}), tmp_path / "old.parquet")
    monkeypatch.setattr(tables, "KEYS_ADDED_LATER", ("guidance_scale",))
    schema = pa.schema([("model_id", pa.string()), ("guidance_scale", pa.float64())])
    tables.write_with_every_key(tmp_path / "old.parquet", tmp_path / "new.parquet", schema)
    assert pq.read_table(tmp_path / "new.parquet").to_pylist() == [
        {"model_id": "a/b", "guidance_scale": None}
    ]


@pytest.mark.parametrize("run", [sample_run(), sample_generation_run(video=True)], ids=["text", "video"])
def test_a_sweeps_configuration_has_every_key(run: Run) -> None:
    wanted, keys = run.configuration, run.comparability
    shared = {key: getattr(wanted, key) for key in CONFIGURATION_KEYS if key in Sweep.model_fields}
    point = SweepPoint(batch_size=wanted.batch_size)
    sweep = Sweep(
        **shared,
        runtime=keys.runtime,
        runtime_version=keys.runtime_version,
        distribution="vllm",
        weights=keys.weights,
        points=(point,),
    )
    assert sweep.configuration(point) == wanted


def test_an_open_loop_is_a_configuration_of_its_own_and_renames_no_closed_one() -> None:
    closed = sample_run().configuration
    load = {"request_rate": 5.0, "burstiness": 1.0}
    same = Configuration(**{**closed.model_dump(), "request_rate": None, "burstiness": None})
    assert same.configuration_id == closed.configuration_id
    changed: tuple[dict[str, float], ...] = (
        {},
        load,
        load | {"request_rate": 6.0},
        load | {"burstiness": 0.5},
        {"request_rate": 0.0},
    )
    ids = {Configuration(**{**closed.model_dump(), **more}).configuration_id for more in changed}
    assert len(ids) == 5
    again = Configuration.model_validate_json(
        Configuration(**{**closed.model_dump(), **load}).model_dump_json()
    )
    assert (again.load_label, closed.load_label) == ("5 requests/s", "batch 32")


@pytest.mark.parametrize(
    "load",
    [
        {"request_rate": 5.0},
        {"burstiness": 1.0},
        {"request_rate": 0.0, "burstiness": 1.0},
        {"request_rate": -1.0},
    ],
)
def test_half_a_load_is_none(load: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"burstiness belongs|greater than or equal"):
        Configuration(**{**sample_run().configuration.model_dump(), **load})


def test_a_workload_describes_the_output_of_its_task_and_nothing_else() -> None:
    assert identity.workload_keys_of(OutputUnit.TOKEN) == ()
    assert identity.workload_keys_of(OutputUnit.IMAGE)[:3] == ("inference_steps", "height", "width")
    assert "num_frames" not in identity.workload_keys_of(OutputUnit.IMAGE)
    Workload().require_complete(Task.GPQA)
    image = Workload(inference_steps=20, height=512, width=768)
    image.require_complete(Task.TEXT_TO_IMAGE)
    with pytest.raises(ValueError, match="text-to-video needs num_frames"):
        image.require_complete(Task.TEXT_TO_VIDEO)
    with pytest.raises(ValueError, match="gpqa has no inference_steps, height, width"):
        image.require_complete(Task.GPQA)


def test_differences_are_said_in_words() -> None:
    keys = sample_run().comparability
    other = keys.model_copy(update={"runtime_version": "0.99", "power_limit_watts": 500.0})
    assert keys.differences(keys) == ""
    assert keys.differences(other) == (
        f"version was {keys.runtime_version}, is 0.99, power limit, W was {keys.power_limit_watts}, is 500.0"
    )


def test_every_key_is_a_column_of_its_type() -> None:
    types = dict(zip(summary.COLUMNS.names, map(str, summary.COLUMNS.types), strict=True))
    assert set(identity.IDENTITY_KEYS) <= types.keys()
    assert (types["task"], types["num_frames"], types["power_limit_watts"]) == ("string", "int32", "double")


def test_every_key_says_what_it_is() -> None:
    fields = Configuration.model_fields | identity.Comparability.model_fields
    assert all(field.description for field in fields.values())
