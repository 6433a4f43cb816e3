"""Bundles that somebody forged: the catalogue of what is refused at the door, beside that of the gate.

A forgery starts from a good bundle of its contributor, or from a landed one of somebody else, and is signed
with the contributor's key afterwards, as a forger would do.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmark_tasks.results import bundle
from benchmark_tasks.results.schema import new_run_id
from benchmark_tasks.results.tables import Series
from tests.expectations.gate_faults import Spoil, each, energy, gpu, put

Forge = Callable[[Path, Path, Path], Path]
"""(folder to write into, a good bundle of theirs, a landed one of ours) -> the forged bundle."""


@dataclass(frozen=True)
class Forgery:
    """said: what the line about it says. forge: how it is made. signer: whose key signs it."""

    name: str
    said: str
    forge: Forge
    signer: str = "alice"


def renamed(source: Path, folder: Path, run_id: str | None = None, spoil: Spoil | None = None) -> Path:
    """A copy of a bundle under another id, its record edited; checksums fit, nothing is signed."""
    run_id = run_id or new_run_id()
    target = folder / run_id
    shutil.copytree(source, target)
    (target / "SIGNATURE").unlink(missing_ok=True)
    content = json.loads((target / bundle.RUN_FILE).read_text())
    content["run_id"] = run_id
    if spoil:
        spoil(content)
    (target / bundle.RUN_FILE).write_text(json.dumps(content))
    return target


def record(spoil: Spoil) -> Forge:
    """The contributor's own good run with a record that says something else."""
    return lambda folder, good, ours: renamed(good, folder, good.name, spoil)


def copied(
    *names: str, change: Callable[[pa.Table], pa.Table] = lambda table: table, spoil: Spoil | None = None
) -> Forge:
    """The contributor's own run with files of ours in place of its own."""

    def forge(folder: Path, good: Path, ours: Path) -> Path:
        target = renamed(good, folder, good.name, spoil)
        for name in names:
            pq.write_table(change(pq.read_table(ours / name)), target / name)
        return target

    return forge


def replay(spoil: Spoil | None = None) -> Forge:
    """Our run under another id."""
    return lambda folder, good, ours: renamed(ours, folder, spoil=spoil)


def of(series: Series, change: Callable[[Any], Any]) -> Callable[[pa.Table], pa.Table]:
    """Change the values of one series of a timeline."""

    def changed(table: pa.Table) -> pa.Table:
        mine = pc.equal(table["series"].cast(pa.string()), series.value)
        values = pc.if_else(mine, change(table["value"]), table["value"])
        return table.set_column(table.column_names.index("value"), "value", values)

    return changed


def later(content: dict[str, Any]) -> None:
    """Another note, host and session, so that the record is not the same."""
    content["note"] = "measured by me"
    content["provenance"]["host"] = "my-host"
    content["provenance"]["gpus"][0]["uuid"] = "GPU-ffffffff-0000-0000-0000-000000000000"


FORGERIES: tuple[Forgery, ...] = (
    Forgery("a landed run under another id", "not_a_replay", replay()),
    Forgery("a landed run under another id, host and note", "not_a_replay", replay(later)),
    Forgery("request times of another run", "not_a_replay", copied(bundle.REQUESTS_FILE)),
    Forgery("power trace of another run", "not_a_replay", copied(bundle.TIMELINES_FILE)),
    Forgery(
        "power trace of another run, scaled",
        "not_a_replay",
        copied(bundle.TIMELINES_FILE, change=of(Series.POWER_WATTS, lambda v: pc.multiply(v, 0.9))),
    ),
    Forgery(
        "id of a run of ours",
        "its id is that of another run",
        lambda folder, good, ours: renamed(good, folder, ours.name),
    ),
    Forgery(
        "our own run, signed by the contributor",
        "its id is that of another run",
        lambda folder, good, ours: renamed(ours, folder, ours.name),
    ),
    Forgery(
        "signed by another contributor",
        "signed by bob (contributor), not by alice",
        record(lambda c: None),
        signer="bob",
    ),
    Forgery(
        "signed with a key of ours",
        "signed by gpu-1 (host), not by alice",
        record(lambda c: None),
        signer="gpu-1",
    ),
    Forgery(
        "signed with a key that nobody knows", "not in the registry", record(lambda c: None), signer="mallory"
    ),
    Forgery("not signed", "unsigned, not by alice", record(lambda c: None), signer=""),
    Forgery("power above the card's cap", "power_within_limit", record(energy(1.6, 1.6))),
    Forgery(
        "power above what the card can draw, without a cap",
        "power_within_tdp",
        record(
            each(energy(1.6, 1.6), put("comparability.power_limit_watts", None), gpu(power_limit_watts=None))
        ),
    ),
    Forgery(
        "a cap that the card does not have",
        "limit_within_tdp",
        record(each(put("comparability.power_limit_watts", 1000.0), gpu(power_limit_watts=1000.0))),
    ),
    Forgery(
        "one GPU model named as another",
        "gpu_is_the_one_named",
        record(put("configuration.gpu_model", "B200")),
    ),
    Forgery(
        "a name with the memory of another GPU model",
        "gpu_memory_too_small",
        record(gpu(memory_bytes=80 * 2**30)),
    ),
    Forgery(
        "a name with more memory than its GPU model",
        "gpu_memory_too_large",
        record(gpu(memory_bytes=180 * 2**30)),
    ),
    Forgery(
        "a clock above the card's highest",
        "sm_clock_possible",
        record(put("device.sm_clock_median_mhz", 2400.0)),
    ),
    Forgery(
        "a memory clock above the card's highest",
        "memory_clock_possible",
        record(put("device.memory_clock_median_mhz", 3996.0)),
    ),
    Forgery("less energy than the samples give", "record_follows_from_files", record(energy(0.8, 0.8))),
)
