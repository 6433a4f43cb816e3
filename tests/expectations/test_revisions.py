"""Two revisions of one model, landed, judged, built and published: never one figure, never one rank."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from benchmark_tasks.catalog import load
from benchmark_tasks.plan import single_sweep
from benchmark_tasks.plan.sweep import Plan
from benchmark_tasks.results.schema import Run
from benchmark_tasks.results.store import Store
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.samples import sample_run
from benchmark_tasks.vocabulary import Task, Weights
from expectations import publications
from expectations.history import recheck
from expectations.history.costs import estimate
from expectations.publications import query
from expectations.refresh import RefreshResult, refresh
from tests.expectations.board.marts import embedded_rows
from tests.expectations.gate_faults import land

OLD, NEW = "a" * 40, "b" * 40
MODEL = "Qwen/Qwen3-8B"


def run_at(revision: str | None, power_watts: float, *, days: int = -9, **options: Any) -> Run:
    """A run of real weights as hosts from before the key landed it: the revision in its provenance only."""
    base = sample_run(power_watts=power_watts, **options)
    record = base.model_dump(mode="json")
    record["provenance"]["model_revision"] = revision
    record["comparability"]["weights"] = Weights.REAL.value
    record["comparability"].pop("model_revision", None)
    for name in ("started_at", "finished_at"):
        record[name] = (getattr(base, name) + timedelta(days=days)).isoformat()
    return Run.model_validate_json(json.dumps(record))


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Three repeats at each revision (the later one takes 40 % less), at none, and under the next version."""
    settings = Settings(home=tmp_path_factory.mktemp("revisions"))
    store = Store(settings.raw)
    for i in range(3):
        land(store, run_at(OLD, 500.0 + i))
        land(store, run_at(NEW, 300.0 + i, days=-7))
        land(store, run_at(None, 650.0 + i, days=-8))
        land(store, run_at(NEW, 310.0 + i, days=-6, runtime_version="0.27.0"))
        land(store, run_at(OLD, 700.0 + i, batch_size=64, tokens_per_second=8000))
        land(store, run_at("c" * 40, 400.0 + i, model_id="Qwen/Qwen3-14B"))
    return settings


@pytest.fixture(scope="module")
def published(settings: Settings) -> RefreshResult:
    return refresh(settings)


def rows(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in query(settings, sql).rows]


def test_every_run_is_accepted_by_the_gate(published: RefreshResult) -> None:
    assert (published.accepted, published.quarantined) == (18, 0)


def test_revisions_are_never_averaged_and_only_the_current_one_is_ranked(
    settings: Settings, published: RefreshResult
) -> None:
    found = rows(
        settings,
        "select model_revision, repeats, round(energy_per_output_joules * 4000), is_current_revision,"
        " energy_rank, energy_position from leaderboard where runtime_version = '0.26.0' and batch_size = 32"
        f" and model_id = '{MODEL}' order by 3",
    )
    assert found == [
        (NEW, 3, 301.0, True, 1, 1),
        (OLD, 3, 501.0, False, None, None),
        (None, 3, 651.0, False, None, None),
    ]
    assert rows(settings, "select count(distinct leaderboard_id), count(*) from leaderboard") == [(6, 6)]


def test_models_of_different_revisions_share_a_ranking(settings: Settings, published: RefreshResult) -> None:
    found = rows(
        settings,
        "select model_id, energy_rank from leaderboard where runtime_version = '0.26.0'"
        " and energy_rank is not null order by 2",
    )
    assert found == [(MODEL, 1), ("Qwen/Qwen3-14B", 2)]


def test_what_compares_configurations_takes_the_current_revision_alone(
    settings: Settings, published: RefreshResult
) -> None:
    # Batch 64 was measured at the earlier revision only: 0.0876 J, and no configuration of the current one.
    minima = rows(
        settings,
        f"select model_revision, batch_size, configurations_compared from min_energy_configurations"
        f" where model_id = '{MODEL}' and runtime_version = '0.26.0' and scope = 'gpu-count'",
    )
    assert minima == [(NEW, 32, 1)]
    for mart in ("batch_size_scaling", "model_size_scaling", "time_energy_frontier"):
        taken = rows(settings, f"select distinct model_revision from {mart} order by all")
        assert taken == [(NEW,), ("c" * 40,)]


def test_versions_are_compared_within_a_revision(settings: Settings, published: RefreshResult) -> None:
    found = rows(
        settings,
        "select model_revision, old_runtime_version, runtime_version, round(energy_change, 3)"
        " from runtime_version_comparison",
    )
    assert found == [(NEW, "0.26.0", "0.27.0", 0.033)]


def test_history_tells_a_new_revision_from_a_new_version(
    settings: Settings, published: RefreshResult
) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "analysts.md").read_text()
    (sql,) = re.findall(r"```sql\n(-- What changed.*?)```", guide, re.S)
    found = rows(settings, sql.replace("marts.", ""))
    assert [row[-1] for row in found] == ["first", "model revision", "model revision", "runtime version"]


def test_the_page_shows_the_current_revision(settings: Settings, published: RefreshResult) -> None:
    text = (publications.current(settings).path / "site" / "index.html").read_text()
    revisions = {row["model_revision"] for row in embedded_rows(text, "lm-arena-chat")}
    assert NEW in revisions and OLD not in revisions


@pytest.mark.skipif(not shutil.which("chromium"), reason="headless Chromium is not installed")
def test_a_browser_shows_the_revision_in_short(
    settings: Settings, published: RefreshResult, tmp_path: Path
) -> None:
    page = publications.current(settings).path / "site" / "index.html"
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}"]
    command += ["--virtual-time-budget=2000", "--dump-dom", f"file://{page}#show=all"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert re.findall(r"revision ([0-9a-f]+)<", shown).count(NEW[:12]) == 2  # under two versions


def test_what_another_revision_cost_is_the_estimate(settings: Settings, published: RefreshResult) -> None:
    model = load().model(MODEL).model_copy(update={"revision": "e" * 40})
    sweep = single_sweep(
        load().with_models([model]),
        model_id=MODEL,
        task=Task.LM_ARENA_CHAT,
        runtime_version="0.27.0",
        gpu_model="H200",
        num_gpus=1,
        batch_sizes=[32, 64],
    )
    found = estimate(settings, Plan(sweeps=(sweep,)))
    assert (found.configurations, found.unknown) == (2, 0)


def test_a_recheck_compares_with_the_figure_of_the_same_revision(
    settings: Settings, published: RefreshResult
) -> None:
    figures = [one for one in recheck.published_figures(settings) if one.configuration.model_id == MODEL]
    (figure,) = [one for one in figures if one.configuration.batch_size == 32]
    keys = figure.comparability
    assert (keys.model_revision, keys.runtime_version) == (NEW, "0.27.0")
    newer = [run_at(NEW, 311.0 + i, runtime_version="0.27.0") for i in range(3)]
    older = [run_at(OLD, 311.0 + i, runtime_version="0.27.0") for i in range(3)]
    assert {one.verdict for one in recheck.compare([figure], newer + older)} == {recheck.Verdict.CONFIRMED}
    (speed, _) = recheck.compare([figure], older)
    assert speed.verdict is recheck.Verdict.NOT_COMPARABLE
    assert speed.reason == f"model revision was {NEW}, is {OLD}"


def test_a_revision_that_comes_later_asks_nobody_and_loses_nothing(
    settings: Settings, published: RefreshResult
) -> None:
    store = Store(settings.raw)
    for i in range(3):
        land(store, run_at("d" * 40, 150.0 + i, days=-1))
    result = refresh(settings)
    assert result.changed
    current = "select model_revision, energy_rank from leaderboard where is_current_revision"
    where = f" and model_id = '{MODEL}' and runtime_version = '0.26.0'"
    assert rows(settings, current + where) == [("d" * 40, 1)]
