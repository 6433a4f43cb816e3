"""An alert when a run of a measuring DAG takes so long that something must be wrong.

The model server may hang, the GPU host may be gone, or nobody answers a question: in each case the run
does not end. `JOULEBOARD_DEADLINE_HOURS` (default 24) after its creation the run is marked in the UI. One
line goes to the triggerer's log and, as `{"text": ...}`, to `JOULEBOARD_ALERT_URL` (for example a chat's
incoming webhook). Nothing is stopped: a person decides.
"""

from __future__ import annotations

import logging
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
_ANSWER_SECONDS = 20.0


@deadline_reference
class RunCreated(BaseDeadlineReference):
    """The time at which a run was created. The plugin registers it.

    Not `DAGRUN_QUEUED_AT`: with it Airflow 3.3.2 answers 500 when a task of the run is cleared.
    """

    def _evaluate_with(self, *, session: Any, **kwargs: Any) -> datetime:  # noqa: ARG002 - Airflow calls it so
        return datetime.now(UTC)


def deadline() -> DeadlineAlert | None:
    """The deadline of every measuring DAG; None if the hours are 0 (`dag.test()` cannot handle a deadline).

    Raises:
        SettingsError: the variable is not a number of hours.
    """
    text = os.environ.get("JOULEBOARD_DEADLINE_HOURS") or DEFAULT_HOURS
    try:
        hours = float(text)
        interval = timedelta(hours=hours)
    except (ValueError, OverflowError) as error:
        raise SettingsError(f"JOULEBOARD_DEADLINE_HOURS={text}: not a number of hours") from error
    if hours == 0:
        return None
    return DeadlineAlert(
        reference=RunCreated(),
        interval=interval,
        callback=AsyncCallback(send_alert),
        name="takes too long",
    )


async def send_alert(context: dict[str, Any]) -> str:
    """Send the alert on a late run; runs in the triggerer. Returns the line that was sent.

    If the address does not answer, the callback fails, and the triggerer logs that. Airflow drops the
    deadline of a run that succeeded, but not of a run that failed: for that one, nothing is sent here.
    """
    if context["dag_run"]["state"] in FINISHED:
        return "the run has ended"
    line = late_line(context, conf.get("api", "base_url", fallback=""))
    log.warning("%s", line)
    url = os.environ.get("JOULEBOARD_ALERT_URL")
    if url:
        import httpx

        async with httpx.AsyncClient(timeout=_ANSWER_SECONDS) as client:
            (await client.post(url, json={"text": line})).raise_for_status()
    return line


def late_line(context: dict[str, Any], base_url: str) -> str:
    """The alert in one line, with the address of the run."""
    run = context["dag_run"]
    dag_id, run_id = run["dag_id"], run.get("dag_run_id") or run.get("run_id")
    where = f"{base_url.rstrip('/')}/dags/{dag_id}/runs/{run_id}"
    return f"{dag_id} {run_id} is still {run['state']} after its deadline: see which task hangs, {where}"
