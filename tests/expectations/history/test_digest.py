"""The digest of a week, from a small publication."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from benchmark_tasks.errors import PublicationError
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
            "create table campaign_ledger (data_source varchar, finished_at timestamptz, gpu_hours double,"
            " energy_kwh double)"
        )
        runs = [
            ("vllm", "0.32.0", "a", "jouleboard", "completed", OLD, OLD),
            ("vllm", "0.32.0", "a", "jouleboard", "completed", NOW, NOW),
            ("vllm", "0.33.0", "a", "jouleboard", "completed", NOW, NOW),
            ("vllm", "0.33.0", "<b>", "jouleboard", "failed", NOW, NOW),
            ("vllm", "0.9.0", "a", "mlenergy-v3", "completed", NOW, NOW),
        ]
        connection.executemany("insert into run_log values (?, ?, ?, ?, ?, ?, ?)", runs)
        compared = [("vllm", "0.32.0", "0.33.0", verdict) for verdict in ("better", "worse", "better", None)]
        connection.executemany("insert into runtime_version_comparison values (?, ?, ?, ?)", compared)
        ledger = [("jouleboard", OLD, 50, 9), ("jouleboard", NOW, 2.25, 1.5), ("mlenergy-v3", NOW, 9, 9)]
        connection.executemany("insert into campaign_ledger values (?, ?, ?, ?)", ledger)
    return path


def test_a_week_in_words(settings: Settings, candidate: Path) -> None:
    publish(settings, candidate, "a week")
    week = digest(settings)
    assert week.title == f"Jouleboard: 7 days until {NOW:%Y-%m-%d}"
    assert "Releases measured for the first time: vllm 0.33.0\n" in week.text
    assert "- vllm 0.32.0: 1 run, 1 model\n" in week.text
    assert "- vllm 0.33.0: 2 runs, 2 models, 1 of them not completed\n" in week.text
    assert "- vllm 0.32.0 to 0.33.0: of 4 configurations 2 need less energy, 1 more\n" in week.text
    assert "- publication 1 of 20" in week.text and "UTC: 3 rows" in week.text
    assert "Cost of measuring: 2.2 GPU-hours, 1.50 kWh\n" in week.text
    assert "0.9.0" not in week.text
    assert "<li>vllm 0.33.0: 2 runs, 2 models" in week.html


def test_a_longer_span(settings: Settings, candidate: Path) -> None:
    publish(settings, candidate, "a week")
    assert "Releases measured for the first time: vllm 0.32.0, vllm 0.33.0\n" in digest(settings, 60).text


def test_before_the_first_publication_there_is_none(settings: Settings) -> None:
    with pytest.raises(PublicationError, match="nothing is published"):
        digest(settings)
