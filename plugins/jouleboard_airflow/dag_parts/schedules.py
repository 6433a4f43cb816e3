"""When the DAGs start by themselves.

`JOULEBOARD_SCHEDULES=off`: never by the clock, only by a person, another DAG or new data. The demo's own
platform runs so: a watch that strikes while it measures would start more than the demo asked for.
"""

from __future__ import annotations

import os
from datetime import timedelta

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable
from airflow.sdk.definitions.asset import BaseAsset

from benchmark_tasks.errors import SettingsError

VARIABLE = "JOULEBOARD_SCHEDULES"
OFF = "off"


def at(cron: str) -> CronTriggerTimetable | None:
    """A schedule by the clock, in UTC; None where the clock starts nothing.

    Raises:
        SettingsError: the variable is neither `on` nor `off`.
    """
    value = os.environ.get(VARIABLE) or "on"
    if value not in ("on", OFF):
        raise SettingsError(f"{VARIABLE}={value}: on or off")
    if value == OFF:
        return None
    # Without it Airflow 3.3 starts a run as soon as the DAG is unpaused, if the last time to start one has
    # passed by less than a tenth of the interval: for a daily DAG, more than two hours.
    return CronTriggerTimetable(cron, timezone="UTC", run_immediately=timedelta())


def at_or_after(cron: str, assets: BaseAsset) -> AssetOrTimeSchedule | BaseAsset:
    """As `at`, and whenever one of the assets is new."""
    clock = at(cron)
    return assets if clock is None else AssetOrTimeSchedule(timetable=clock, assets=assets)
