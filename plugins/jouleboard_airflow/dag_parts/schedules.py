"""When the DAGs start by the clock.

With `JOULEBOARD_SCHEDULES=off` the clock starts none; people, other DAGs and new data still do. The demo sets
it: a scheduled `watch_releases` would start more measurements than the demo asks for.
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
    """A schedule by the clock, in UTC; None if the clock is off.

    Raises:
        SettingsError: the variable is neither `on` nor `off`.
    """
    value = os.environ.get(VARIABLE) or "on"
    if value not in ("on", OFF):
        raise SettingsError(f"{VARIABLE}={value}: use on or off")
    if value == OFF:
        return None
    # Without `run_immediately` Airflow 3.3 starts a run as soon as the DAG is unpaused, if the last scheduled
    # time was less than a tenth of the interval ago: for a daily DAG, more than two hours.
    return CronTriggerTimetable(cron, timezone="UTC", run_immediately=timedelta())


def at_or_after(cron: str, assets: BaseAsset) -> AssetOrTimeSchedule | BaseAsset:
    """A schedule by the clock, as `at`, and by new events of the assets."""
    clock = at(cron)
    return assets if clock is None else AssetOrTimeSchedule(timetable=clock, assets=assets)
