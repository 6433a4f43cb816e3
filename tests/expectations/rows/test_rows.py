"""From a row to its bundles, and from its bundles to its figures again, on a real publication."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from benchmark_tasks.errors import (
    BundleError,
    FiguresDiffer,
    GateRefused,
    JouleboardError,
    LandingZoneUnreachable,
    PublicationError,
)
from benchmark_tasks.imports import mlenergy
from benchmark_tasks.results import bundle, cold
from benchmark_tasks.results.remote import Remote
from benchmark_tasks.results.schema import Run
from benchmark_tasks.results.store import Store
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.leaderboard import write_leaderboard
from benchmark_tasks.testing.samples import sample_generation_run, sample_run
from expectations import publications
from expectations.candidate.build import CANDIDATE_FILE, PROJECT
from expectations.cli import app
from expectations.refresh import refresh
from expectations.rows import Recomputed, Row, all_rows, explain, find_row, recompute
from expectations.rows.bundles import figures_of
from expectations.rows.deep import verify_rows
from jouleboard_airflow.upkeep.scheduled import recompute_figures
from tests.expectations.gate_faults import IMAGES, RECORDED, TWO_GPUS, land, put

OF_ONE_ROW = (
    "01a2184e-ce95-7f40-ac68-99f223e5e3bd",
    "01a21853-ef03-739a-871c-687c555aeb2c",
    "01a21857-e61f-71d1-ab8e-c8225fcb6987",
)
OF_ANOTHER = "01a2184a-3429-71d0-97ea-98370788397a"
H100 = "h100-2026-11-26-qwen3-8b"
FAILED = "h200-2026-11-qwen3-8b/01a209de-dcd5-72f5-8263-3b666ec38191"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Recorded runs, runs that kept every piece of every answer, and rows of others; published once."""
    folder = tmp_path_factory.mktemp("rows")
    settings = Settings(home=folder / "home")
    store = Store(settings.raw)
    for name in (*(f"{H100}/{run}" for run in (*OF_ONE_ROW, OF_ANOTHER)), TWO_GPUS, IMAGES, FAILED):
        store.land_copy(RECORDED / name)
    for power in (500.0, 501.0):
        land(store, sample_run(power_watts=power))
    land(store, sample_run(batch_size=8, gpu=False))
    land(store, sample_generation_run(video=True))
    mlenergy.import_results(str(write_leaderboard(folder / "published-by-others")), settings)
    refresh(settings, say=lambda line: None)
    return settings


@pytest.fixture
def home(settings: Settings, tmp_path: Path) -> Settings:
    """A copy that a test may damage."""
    shutil.copytree(settings.home, tmp_path / "home", symlinks=True)
    return Settings(home=tmp_path / "home")


@pytest.fixture
def call(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("JOULEBOARD_HOME", str(settings.home))
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def rows_of(settings: Settings) -> list[Row]:
    with publications.open_publication(publications.require_current(settings)) as connection:
        return all_rows(connection)


def row_of(settings: Settings, run_id: str) -> Row:
    """The row that rests on a run."""
    (row,) = (row for row in rows_of(settings) if run_id in row.run_ids)
    return row


def recomputed(settings: Settings, run_id: str = OF_ONE_ROW[0]) -> Recomputed:
    """What comes of the row that rests on a run."""
    (result,) = recompute([row_of(settings, run_id)], settings)
    return result


def damaged(settings: Settings, name: str) -> Path:
    """Change one byte of a file of the row's first bundle; its time of modification stays."""
    folder = Store(settings.raw).find(OF_ONE_ROW[0])
    assert folder is not None
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    return folder / name


@contextmanager
def changed_marts(settings: Settings, statement: str) -> Iterator[list[Row]]:
    """The rows of the publication as they would be after a statement of SQL."""
    with closing(duckdb.connect()) as connection:
        database = publications.require_current(settings).database
        connection.execute(f"attach '{database}' as published (read_only)")
        connection.execute("create schema marts")
        for mart in ("leaderboard", "row_evidence", "run_log"):
            connection.execute(f"create table marts.{mart} as from published.marts.{mart}")
        connection.execute(statement)
        yield all_rows(connection)


def test_every_row_follows_from_its_source(settings: Settings) -> None:
    results = list(recompute(rows_of(settings), settings))
    assert [result.what_differs for result in results] == [""] * len(results)
    assert sum(result.row.is_measured for result in results) == 7
    assert sum(not result.row.is_measured for result in results) == 5
    known = {
        figure.column for result in results for figure in result.figures if figure.recomputed is not None
    }
    assert known >= {
        "energy_per_output_joules",
        "energy_per_output_low_joules",
        "energy_per_response_joules",
        "throughput_per_second",
        "batch_latency_seconds",
        "p99_ttft_ms",
        "p99_itl_ms",
        "p99_e2e_ms",
    }


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("energy_per_output_joules = energy_per_output_joules * 1.000001", "energy_per_output_joules"),
        ("energy_per_output_high_joules = energy_per_output_joules", "energy_per_output_high_joules"),
        ("energy_per_response_joules = null", "energy_per_response_joules"),
        ("repeats = repeats + 1", "repeats"),
        ("median_ttft_ms = p90_ttft_ms", "median_ttft_ms"),
        ("p95_itl_ms = p95_itl_ms + 0.01", "p95_itl_ms"),
        ("batch_latency_seconds = 1", "batch_latency_seconds"),
        ("throughput_per_second = throughput_per_second + 0.001", "throughput_per_second"),
    ],
)
def test_a_changed_figure_is_found(settings: Settings, change: str, found: str) -> None:
    with changed_marts(settings, f"update marts.leaderboard set {change}") as rows:
        results = list(recompute([row for row in rows if row.is_measured], settings))
    assert {figure.column for result in results for figure in result.different} == {found}


def test_a_run_that_is_counted_in_another_row_is_found(settings: Settings) -> None:
    there = f"starts_with(run_ids, '{OF_ONE_ROW[0]}')"
    moved = f"update marts.row_evidence set run_ids = '{OF_ANOTHER}' where {there}"
    with changed_marts(settings, moved) as rows:
        wrong = [result for result in recompute(rows, settings) if not result.equal]
    assert [figure.column for result in wrong for figure in result.different] == ["run_ids"]


def test_an_imported_figure_that_changed_is_found(settings: Settings) -> None:
    change = "mean_power_watts = mean_power_watts + 1 where data_source <> 'jouleboard'"
    with changed_marts(settings, f"update marts.leaderboard set {change}") as rows:
        wrong = [result for result in recompute(rows, settings) if not result.equal]
    assert len(wrong) == 5
    assert all(result.what_differs.startswith("mean_power_watts: ") for result in wrong)


@pytest.mark.parametrize(
    ("path", "factor", "found"),
    [
        ("window_steady.energy.counter_joules", 1.002, "energy_per_output_joules"),
        ("window_mlenergy.energy.counter_joules", 1.002, "mlenergy_window_energy_per_output_joules"),
        ("window_steady.output_tokens", 1.2, "throughput_per_second"),
        ("requests.duration_seconds", 1.002, "whole_run_throughput_per_second"),
        ("requests.mean_output_tokens", 1.002, "output_tokens_per_response"),
        ("latency.ttft_ms.p95", 1.002, "p95_ttft_ms"),
        ("latency.e2e_ms.p99", 0.5, "p99_e2e_ms"),
    ],
)
def test_a_record_that_its_samples_contradict_gives_no_figure(
    home: Settings, path: str, factor: float, found: str
) -> None:
    """The record is changed with its checksums; the samples are as they were measured."""
    folder = Store(home.raw).find(OF_ANOTHER)
    assert folder is not None
    content = json.loads((folder / bundle.RUN_FILE).read_text())
    put(path, lambda value: type(value)(value * factor))(content)
    (folder / bundle.CHECKSUMS_FILE).unlink()
    bundle.write_record(folder, Run.model_validate(content))
    changed = figures_of(bundle.read_record(folder), folder)
    original = RECORDED / H100 / OF_ANOTHER
    figures = figures_of(bundle.read_record(original), original)
    assert figures[found] is not None
    assert changed[found] == pytest.approx(figures[found], rel=0.07 if "output_tokens" in path else 1e-9)


FAULTS = {
    "intermediate/int_runs_derived.sql": {
        "energy_joules / nullif(steady_outputs, 0)": "energy_joules / nullif(steady_outputs - 1, 0)",
        "steady_outputs / nullif(steady_seconds, 0)": "steady_outputs / nullif(steady_seconds + 0.001, 0)",
    },
    "intermediate/int_configurations_averaged.sql": {
        "t_quantiles.t_975 *": "t_quantiles.t_95 *",
        "avg(p99_ttft_ms)": "max(p99_ttft_ms)",
    },
}
"""Faults in ratios, an interval and a mean, in which no other check sees anything."""


LONG_PROMPTS = RECORDED / "h200-2026-11-30-precision-larger" / "01a22e10-3469-7bbd-b242-20cf8192bbf5"
"""Its first answers were written slowly while 64 long prompts were read: 19 % off, if taken as even."""


@pytest.mark.parametrize(("factor", "confirmed"), [(1.0, True), (1.1, True), (1.2, False), (0.6, False)])
def test_the_server_s_pace_confirms_what_was_not_written_evenly(factor: float, confirmed: bool) -> None:
    run = bundle.read_record(LONG_PROMPTS)
    assert run.window_steady is not None
    tokens = round(factor * run.window_steady.output_tokens)
    steady = run.window_steady.model_copy(update={"output_tokens": tokens})
    said = run.model_copy(update={"window_steady": steady})
    throughput = figures_of(said, LONG_PROMPTS)["throughput_per_second"]
    seconds = run.window_steady.end_seconds - run.window_steady.start_seconds
    assert (throughput == pytest.approx(tokens / seconds, rel=1e-9)) is confirmed


def test_without_a_count_over_the_whole_window_answers_are_taken_as_even(tmp_path: Path) -> None:
    run = bundle.read_record(LONG_PROMPTS)
    copy = tmp_path / LONG_PROMPTS.name
    shutil.copytree(LONG_PROMPTS, copy)
    path = copy / bundle.TIMELINES_FILE
    table = pd.read_parquet(path)
    late = (table["series"] == "generated_tokens") & (table["seconds"] < 30)
    pq.write_table(pa.Table.from_pandas(table[~late], schema=pq.read_schema(path)), path)
    sums = copy / "SHA256SUMS"
    before = hashlib.sha256((LONG_PROMPTS / bundle.TIMELINES_FILE).read_bytes()).hexdigest()
    sums.write_text(sums.read_text().replace(before, hashlib.sha256(path.read_bytes()).hexdigest()))
    steady = run.window_steady
    assert steady is not None
    recorded = steady.output_tokens / (steady.end_seconds - steady.start_seconds)
    assert figures_of(run, copy)["throughput_per_second"] < 0.9 * recorded


def test_a_fault_in_dbt_is_refused_and_named(home: Settings, tmp_path: Path) -> None:
    project = tmp_path / "dbt_project"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("target", "logs"))
    for name, edits in FAULTS.items():
        model = project / "models" / name
        for right, wrong in edits.items():
            assert right in model.read_text()
            model.write_text(model.read_text().replace(right, wrong))
    land(Store(home.raw), sample_run(power_watts=502.0))
    with pytest.raises(GateRefused) as caught:
        refresh(home, project=project, say=lambda line: None)
    line = str(caught.value)
    assert line.startswith("the gate refused: figures_follow_from_source: the figures of this row are not")
    assert " published, " in line and " recomputed" in line and "\n" not in line
    assert publications.current_number(home.published) == 1

    (candidate,) = home.warehouse.glob(f"*-*/{CANDIDATE_FILE}")
    with closing(duckdb.connect(str(candidate), read_only=True)) as connection:
        results = list(recompute(all_rows(connection), home))
    found = {figure.column for result in results for figure in result.different}
    assert found >= {
        "energy_per_output_joules",
        "energy_per_output_low_joules",
        "energy_per_output_high_joules",
        "throughput_per_second",
        "p99_ttft_ms",
    }
    assert not found & {"output_tokens_per_response", "median_ttft_ms", "p99_itl_ms", "mean_power_watts"}


def test_the_manifest_says_which_rows_were_recomputed(settings: Settings) -> None:
    manifest = publications.require_current(settings).manifest
    sample = manifest["gate"]["recomputed"]
    assert sample["seed"] == manifest["inputs_digest"]
    assert len(sample["measured"]) == 7 and len(sample["imported"]) == 5


def test_what_is_explained_is_what_the_board_shows(settings: Settings) -> None:
    """Hosts, GPUs and windows come from the bundles; the board's evidence comes from dbt."""
    for row in rows_of(settings):
        explained, evidence = explain(row, settings), row.evidence
        if not row.is_measured:
            assert explained.runs == ()
            continue
        hosts = sorted({run.host for run in explained.runs if run.host})
        gpus = sorted({uuid for run in explained.runs for uuid in run.gpu_uuids})
        seconds = sum([run.end_seconds - run.start_seconds for run in explained.runs], 0.0)
        assert [run.run_id for run in explained.runs] == evidence["run_ids"].split(", ")
        assert ", ".join(hosts) == evidence["host_names"]
        assert (", ".join(gpus) or None) == evidence["gpu_uuids"]
        assert seconds == pytest.approx(evidence["steady_seconds"], rel=1e-12)
        assert sum(run.counts_for_energy for run in explained.runs) == evidence["energy_runs"]


def test_runs_that_are_no_part_of_a_row_have_their_reason(settings: Settings) -> None:
    explained = explain(row_of(settings, OF_ONE_ROW[0]), settings)
    (other,) = explained.left_out
    assert other.run_id == OF_ANOTHER
    assert other.why.startswith("part of another row: request_set_id is ")


def test_explain_and_recompute_as_commands(settings: Settings, call: Callable[..., Result]) -> None:
    row = row_of(settings, OF_ONE_ROW[0])
    said = call("explain", row.id[:10]).stdout
    assert all(run in said for run in OF_ONE_ROW)
    assert f"to work it out again: jouleboard recompute {row.id}" in said
    told = json.loads(call("explain", row.id, "--json").stdout)
    assert [run["run_id"] for run in told["runs"]] == list(OF_ONE_ROW)
    done = call("recompute", row.id)
    assert done.exit_code == 0 and "DIFFERS" not in done.stdout
    figures = json.loads(call("recompute", row.id, "--json").stdout)["figures"]
    energy = next(one for one in figures if one["column"] == "energy_per_output_joules")
    assert energy["equal"] and energy["recomputed"] == pytest.approx(0.112022, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no-such-row", "no row 'no-such-row' on the leaderboard; "),
        ("", "no row '' on the leaderboard; "),
        ("models/x.html#", "no row 'models/x.html#' on the leaderboard; "),
        ("' or true --", "no row "),
    ],
)
def test_a_row_that_is_not_there_is_one_line(call: Callable[..., Result], text: str, said: str) -> None:
    failed = call("recompute", text)
    assert isinstance(failed.exception, PublicationError)
    assert str(failed.exception).startswith(said)


def test_several_rows_are_named(settings: Settings) -> None:
    row = row_of(settings, OF_ONE_ROW[0])
    with publications.open_publication(publications.require_current(settings)) as connection:
        with pytest.raises(PublicationError, match=r"^2 rows have .*: name one of ") as caught:
            find_row(connection, f"models/qwen-qwen3-8b.html#{row.columns['configuration_id']}")
        assert find_row(connection, row.id).id == row.id
    assert row.id in str(caught.value)


def test_all_rows_at_once(settings: Settings, call: Callable[..., Result]) -> None:
    done = call("publications", "verify", "--deep")
    assert done.exit_code == 0
    assert "publication 1: 7 rows equal to what their bundles give; 5 imported rows" in done.stdout
    assert "7 rows equal" in recompute_figures(settings)


@pytest.mark.parametrize("name", ["run.json", "requests.parquet", "timelines.parquet", "server.log"])
def test_a_changed_byte_of_a_bundle_is_named(home: Settings, name: str) -> None:
    path = damaged(home, name)
    result = recomputed(home)
    assert not result.equal
    assert isinstance(result.problem, BundleError)
    assert str(path) in str(result.problem)
    lines: list[str] = []
    with pytest.raises(BundleError, match=r"^1 of 12 rows could not be recomputed; publication 1: 6 rows"):
        verify_rows(home, publications.require_current(home), say=lines.append)
    assert len(lines) == 1 and name in lines[0]


def test_a_missing_bundle_is_named(home: Settings) -> None:
    folder = Store(home.raw).find(OF_ONE_ROW[1])
    assert folder is not None
    shutil.rmtree(folder)
    result = recomputed(home)
    assert str(result.problem).startswith(f"run {OF_ONE_ROW[1]}: its bundle is not in ")
    explained = explain(row_of(home, OF_ONE_ROW[0]), home)
    assert [run.host is None for run in explained.runs] == [False, True, False]
    assert explained.runs[1].bundle == str(result.problem)


def test_a_bundle_in_cold_storage_is_fetched(home: Settings, tmp_path: Path) -> None:
    store, storage = Store(home.raw), tmp_path / "cold"
    folder = store.find(OF_ONE_ROW[0])
    assert folder is not None
    cold.set_address(home.raw, f"file://{storage}")
    store.move_to_cold(folder, Remote(f"file://{storage}"))
    assert recomputed(home).equal
    assert "(cold storage)" in explain(row_of(home, OF_ONE_ROW[0]), home).runs[0].bundle
    shutil.rmtree(storage)
    assert isinstance(recomputed(home).problem, LandingZoneUnreachable)
    with pytest.raises(LandingZoneUnreachable):
        verify_rows(home, publications.require_current(home), say=lambda line: None)


def test_without_the_import_its_rows_say_so(home: Settings) -> None:
    shutil.rmtree(home.imports)
    (problem,) = {
        str(result.problem) for result in recompute(rows_of(home), home) if not result.row.is_measured
    }
    assert problem == "nothing is imported here: `jouleboard import mlenergy` imports it"


def test_rows_that_differ_count_more_than_rows_that_cannot_be_read(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 3, whatever else is wrong."""
    damaged(home, "requests.parquet")
    path = mlenergy.current(home) / "mlenergy_configurations.parquet"
    with closing(duckdb.connect()) as connection:
        connection.execute(f"create table t as from '{path}'")
        connection.execute("update t set median_itl_ms = median_itl_ms + 1")
        connection.execute(f"copy t to '{path}' (format parquet)")
    with pytest.raises(FiguresDiffer, match="rows differ from their source") as caught:
        verify_rows(home, publications.require_current(home), say=lambda line: None)
    assert caught.value.exit_code == 3
    assert issubclass(FiguresDiffer, JouleboardError)
