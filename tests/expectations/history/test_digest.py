"""The digest of a week, from a small publication."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from benchmark_tasks.errors import PublicationError
from benchmark_tasks.releases import seen
from benchmark_tasks.settings import Settings
from expectations.history.digest import digest
from tests.expectations.publishing import make_candidate, publish

NOW = datetime.now(UTC)
OLD = NOW - timedelta(days=30)
RUNS = "runtime varchar, runtime_version varchar, model_id varchar, data_source varchar, status varchar"
TIMES = "started_at timestamptz, finished_at timestamptz"
COMPARED = "runtime varchar, old_runtime_version varchar, runtime_version varchar, energy_verdict varchar"


@pytest.fixture
def candidate(tmp_path: Path) -> Path:
    """Release 0.33.0 is new this week, 0.32.0 was measured again, and one campaign is a month old."""
    path = make_candidate(tmp_path / "candidate.duckdb", rows=3)
    with duckdb.connect(str(path)) as connection:
        connection.execute("use marts")
        connection.execute(f"create or replace table run_log ({RUNS}, {TIMES})")
        connection.execute(f"create table runtime_version_comparison ({COMPARED})")
        connection.execute(
            "create table campaign_ledger (data_source varchar, finished_at timestamptz, runs integer,"
            " gpu_hours double, known_energy_kwh double, runs_without_energy integer)"
        )
        runs = [
            ("vllm", "0.32.0", "a", "jouleboard", "completed", OLD, OLD),
            ("vllm", "0.32.0", "a", "jouleboard", "completed", NOW, NOW),
            ("vllm", "0.32.0+config.7f069e2c", "a", "jouleboard", "completed", NOW, NOW),
            ("vllm", "0.33.0", "a", "jouleboard", "completed", NOW, NOW),
            ("vllm", "0.33.0", "<b>", "jouleboard", "failed", NOW, NOW),
            ("vllm", "0.9.0", "a", "mlenergy-v3", "completed", NOW, NOW),
        ]
        connection.executemany("insert into run_log values (?, ?, ?, ?, ?, ?, ?)", runs)
        compared = [("vllm", "0.32.0", "0.33.0", verdict) for verdict in ("better", "worse", "better", None)]
        label = "+environment.3061185e"
        compared += [("vllm", f"0.32.0{label}", f"0.33.0{label}", "worse")]
        connection.executemany("insert into runtime_version_comparison values (?, ?, ?, ?)", compared)
        old = [("jouleboard", OLD, 9, 50, 9, 0), ("mlenergy-v3", NOW, 9, 9, 9, 0)]
        connection.executemany("insert into campaign_ledger values (?, ?, ?, ?, ?, ?)", old)
    return path


def measured_now(candidate: Path, *campaigns: tuple[int, float | None, float | None, int]) -> Path:
    """Add campaigns of this week: runs, GPU-hours, known kWh, runs without energy."""
    with duckdb.connect(str(candidate)) as connection:
        connection.execute("use marts")
        rows = [("jouleboard", NOW, *each) for each in campaigns]
        connection.executemany("insert into campaign_ledger values (?, ?, ?, ?, ?, ?)", rows)
    return candidate


def test_a_week_in_words(settings: Settings, candidate: Path) -> None:
    seen.note("vllm", ["0.32.0"], settings, OLD)
    seen.note("vllm", ["0.32.0", "0.33.0", "0.34.0"], settings, NOW)
    publish(settings, measured_now(candidate, (4, 2.25, 1.5, 0)), "a week")
    before, week, after = datetime.now(UTC), digest(settings), datetime.now(UTC)
    assert week.title in {f"Jouleboard: 7 days until {day:%Y-%m-%d}" for day in (before, after)}
    assert "Releases seen: vllm 0.33.0, vllm 0.34.0\n" in week.text
    assert "Releases measured for the first time: vllm 0.33.0\n" in week.text
    assert "- vllm 0.32.0: 2 runs, 1 model\n" in week.text
    assert "- vllm 0.33.0: 2 runs, 2 models, 1 of them not completed\n" in week.text
    assert "- vllm 0.32.0 to 0.33.0: of 4 configurations 2 need less energy, 1 more\n" in week.text
    assert "0.33.0+environment.3061185e: of 1 configuration" in week.text
    assert "- publication 1 of 20" in week.text and "UTC: 3 rows" in week.text
    assert "Cost of measuring: 2.2 GPU-hours, 1.50 kWh\n" in week.text
    assert "0.9.0" not in week.text
    assert "<li>vllm 0.33.0: 2 runs, 2 models" in week.html


@pytest.mark.parametrize(
    ("campaigns", "words"),
    [
        ([], "none, nothing was measured"),
        ([(3, 2.0, None, 3)], "2.0 GPU-hours, energy unknown"),
        (
            [(3, 2.0, None, 3), (4, 1.0, 1.5, 0)],
            "3.0 GPU-hours, 1.50 kWh without 3 runs whose energy is unknown",
        ),
        (
            [(3, None, 2.0, 1), (4, 1.0, 1.5, 0)],
            "GPU-hours unknown, 3.50 kWh without 1 run whose energy is unknown",
        ),
    ],
)
def test_what_is_unknown_is_not_zero(
    settings: Settings,
    candidate: Path,
    campaigns: list[tuple[int, float | None, float | None, int]],
    words: str,
) -> None:
    publish(settings, measured_now(candidate, *campaigns) if campaigns else candidate, "a week")
    week = digest(settings)
    assert f"Cost of measuring: {words}\n" in week.text
    assert f"<b>Cost of measuring:</b> {words}</p>" in week.html
    assert "Releases seen: unknown, as the watch for releases has not run in this time\n" in week.text


def test_a_week_without_a_release(settings: Settings, candidate: Path) -> None:
    seen.note("vllm", ["0.32.0"], settings, OLD)
    seen.note("vllm", ["0.32.0"], settings, NOW)
    publish(settings, candidate, "a week")
    assert "Releases seen: none\n" in digest(settings).text


def test_a_longer_span(settings: Settings, candidate: Path) -> None:
    publish(settings, candidate, "a week")
    assert "Releases measured for the first time: vllm 0.32.0, vllm 0.33.0\n" in digest(settings, 60).text


def test_before_the_first_publication_there_is_none(settings: Settings) -> None:
    with pytest.raises(PublicationError, match="nothing is published"):
        digest(settings)
