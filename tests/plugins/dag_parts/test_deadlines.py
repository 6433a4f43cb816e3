"""Which run is late, in one line. That it fires: `tests/e2e/test_scale_out.py`."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from benchmark_tasks.errors import SettingsError
from jouleboard_airflow.dag_parts import deadlines


def late(state: str) -> dict:
    return {"dag_run": {"dag_id": "benchmark_release", "dag_run_id": "release__vllm__0.32.0", "state": state}}


def test_the_line_names_the_run_and_the_way_to_it() -> None:
    line = deadlines.late_line(late("running"), "https://ui.example.org/")
    assert line.startswith("benchmark_release release__vllm__0.32.0 is still running after its deadline")
    assert line.endswith("https://ui.example.org/dags/benchmark_release/runs/release__vllm__0.32.0")


def test_a_run_that_failed_before_is_not_told() -> None:
    assert asyncio.run(deadlines.log_late(late("failed"))) == "the run has ended"
    assert "is still running after its deadline" in asyncio.run(deadlines.log_late(late("running")))


def test_the_clock_starts_when_the_run_is_created(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOULEBOARD_DEADLINE_HOURS", "1.5")
    found = deadlines.deadline()
    assert found.interval == timedelta(minutes=90)
    assert abs(found.reference._evaluate_with(session=None) - datetime.now(UTC)) < timedelta(minutes=1)
    assert deadlines.deadline(hours=1).interval == timedelta(hours=1)
    assert deadlines.deadline(hours=3).interval == timedelta(minutes=90)
    monkeypatch.setenv("JOULEBOARD_DEADLINE_HOURS", "0")
    assert deadlines.deadline() is None
    assert deadlines.deadline(hours=3) is None


@pytest.mark.parametrize(
    "hours", ["soon", "nan", "-1", "-0.5", "0.001", "1e-9", "1e5", "1e10", "1e300", "inf"]
)
def test_hours_that_are_none_are_one_line(monkeypatch: pytest.MonkeyPatch, hours: str) -> None:
    monkeypatch.setenv("JOULEBOARD_DEADLINE_HOURS", hours)
    with pytest.raises(SettingsError, match=f"JOULEBOARD_DEADLINE_HOURS={hours}: not a number of hours"):
        deadlines.deadline()
