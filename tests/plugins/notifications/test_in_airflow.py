"""What is told of Airflow's runs, from what was found in its database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from benchmark_tasks.settings import Settings
from jouleboard_airflow.notifications import Incident, Kind
from jouleboard_airflow.notifications.in_airflow import FORGOTTEN, Found, reconcile
from jouleboard_airflow.notifications.records import Records

IMPORT = Incident("run/import_published_results/r1", Kind.RUN, "import_published_results r1 failed.")
REFRESH = Incident("run/refresh_leaderboard", Kind.REFRESH, "The leaderboard was not refreshed.")


def is_open(settings: Settings, key: str) -> bool | None:
    record = Records(settings).get(key)
    return None if record is None else record.ended is None


@pytest.mark.parametrize("incident", [IMPORT, REFRESH])
def test_a_run_that_was_cleared_is_well_only_when_it_has_succeeded(
    settings: Settings, incident: Incident
) -> None:
    records = Records(settings)
    failed = Found((incident,), {})
    runs_again = Found((), {}, frozenset({incident.key}))
    for found, expected in ((failed, True), (runs_again, True), (failed, True), (Found((), {}), False)):
        reconcile(found, records, settings)
        assert is_open(settings, incident.key) is expected


def test_a_run_of_which_nobody_was_told_is_not_noted(settings: Settings) -> None:
    reconcile(Found((), {}, frozenset({IMPORT.key})), Records(settings), settings)
    assert is_open(settings, IMPORT.key) is None


def test_a_failed_run_that_nobody_repaired_is_forgotten(settings: Settings) -> None:
    records = Records(settings)
    reconcile(Found((IMPORT, REFRESH), {}), records, settings)
    for record in records.all().values():
        long_ago = datetime.now(UTC) - FORGOTTEN - timedelta(minutes=1)
        records.put(record.model_copy(update={"began": long_ago}))
    reconcile(Found((), {}), records, settings)
    assert is_open(settings, IMPORT.key) is None
    assert is_open(settings, REFRESH.key) is False
