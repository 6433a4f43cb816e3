"""Deadlines of the DAGs: a run that takes so long that something must be wrong is marked and told.

The model server may hang, the GPU host may be gone, an index may answer one byte per minute: the run does not
end. After its deadline Airflow marks the run in the UI, and the notifier tells people once
(`notifications/queries/late_runs.sql`). Nothing is stopped: a person decides. A run that waits for a person's
answer is not late.
"""

from __future__ import annotations

import logging
import math
import os
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import conf
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import BaseDeadlineReference, DeadlineAlert, deadline_reference

from benchmark_tasks.errors import SettingsError

log = logging.getLogger("airflow.task")

FINISHED = ("success", "failed")
DEFAULT_HOURS = 24.0
LEAST_HOURS, MOST_HOURS = 0.01, 24.0 * 366


@deadline_reference
class RunCreated(BaseDeadlineReference):
    """The time at which a run was created. The plugin registers it.

    Not `DAGRUN_QUEUED_AT`: with it Airflow 3.3.2 answers 500 when a task of the run is cleared.
    """

    def _evaluate_with(self, *, session: Any, **kwargs: Any) -> datetime:  # noqa: ARG002 - Airflow calls it so
        return datetime.now(UTC)


def deadline(hours: float | None = None) -> DeadlineAlert | None:
    """The deadline of a DAG; None if the installation has none (`dag.test()` cannot handle a deadline).

    hours: of a DAG that does not measure, as long as that is less than the installation's
    `JOULEBOARD_DEADLINE_HOURS`, which counts for those that measure.

    Raises:
        SettingsError: the variable is not a number of hours, or none that can be meant.
    """
    configured = _configured_hours()
    if configured == 0:
        return None
    interval = timedelta(hours=configured if hours is None else min(configured, hours))
    return DeadlineAlert(
        reference=RunCreated(), interval=interval, callback=AsyncCallback(log_late), name="takes too long"
    )


def _configured_hours() -> float:
    text = os.environ.get("JOULEBOARD_DEADLINE_HOURS") or str(DEFAULT_HOURS)
    try:
        hours = float(text)
    except ValueError:
        hours = math.nan
    if hours == 0 or LEAST_HOURS <= hours <= MOST_HOURS:
        return hours
    raise SettingsError(
        f"JOULEBOARD_DEADLINE_HOURS={text}: not a number of hours from {LEAST_HOURS:g} to {MOST_HOURS:g},"
        " or 0 for no deadline"
    )


async def log_late(context: dict[str, Any]) -> str:
    """Write one line into the triggerer's log, and return it.

    Airflow drops the deadline of a run that succeeded, but not of a run that failed: that is told as failed.
    """
    if context["dag_run"]["state"] in FINISHED:
        return "the run has ended"
    line = late_line(context, conf.get("api", "base_url", fallback=""))
    log.warning("%s", line)
    return line


def late_line(context: dict[str, Any], base_url: str) -> str:
    """The alert in one line, with the address of the run."""
    run = context["dag_run"]
    dag_id, run_id = run["dag_id"], run.get("dag_run_id") or run.get("run_id")
    where = f"{base_url.rstrip('/')}/dags/{dag_id}/runs/{run_id}"
    return f"{dag_id} {run_id} is still {run['state']} after its deadline: see which task hangs, {where}"
