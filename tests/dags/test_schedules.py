"""What the clock starts, that unpausing alone starts nothing, and how to do without the clock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pendulum
import pytest

from benchmark_tasks.errors import SettingsError
from jouleboard_airflow.dag_parts import schedules
from jouleboard_airflow.dag_parts.assets import RAW_RUNS

DAGS = Path(__file__).parents[2] / "dags"


def timetable(dag: Any) -> Any:
    """A DAG's timetable as the scheduler has it."""
    from airflow.serialization.serialized_objects import DagSerialization

    return DagSerialization.from_dict(DagSerialization.to_dict(dag)).timetable


@pytest.mark.parametrize(
    ("dag_id", "unpaused", "expected"),
    [
        ("watch_releases", "2026-11-23T10:17:40", "2026-11-23T11:17:00"),
        ("watch_releases", "2026-11-23T10:16:40", "2026-11-23T10:17:00"),
        ("refresh_leaderboard", "2026-11-23T05:10:00", "2026-11-24T04:30:00"),
        ("recheck", "2026-11-28T07:00:00", "2026-12-05T06:00:00"),
    ],
)
def test_a_dag_that_is_unpaused_waits_for_its_next_time(
    dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch, dag_id: str, unpaused: str, expected: str
) -> None:
    from airflow.timetables.base import TimeRestriction

    monkeypatch.setattr("airflow.timetables.trigger.utcnow", lambda: pendulum.parse(unpaused))
    first = timetable(dags[dag_id]).next_dagrun_info(
        last_automated_data_interval=None, restriction=TimeRestriction(None, None, catchup=False)
    )
    assert first.run_after == pendulum.parse(expected)


def test_without_the_clock_only_people_and_news_start_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.dag_processing.dagbag import DagBag

    monkeypatch.setenv("JOULEBOARD_SCHEDULES", "off")
    bag = DagBag(str(DAGS), bundle_name="dags-folder", bundle_path=DAGS)
    assert not bag.import_errors
    assert not [dag_id for dag_id, dag in bag.dags.items() if timetable(dag).periodic]
    assert schedules.at_or_after("30 4 * * *", RAW_RUNS) is RAW_RUNS


def test_what_is_neither_on_nor_off_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOULEBOARD_SCHEDULES", "daily")
    with pytest.raises(SettingsError, match="JOULEBOARD_SCHEDULES=daily: use on or off"):
        schedules.at("17 * * * *")
