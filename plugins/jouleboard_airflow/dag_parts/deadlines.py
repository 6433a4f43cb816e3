"""An alert when a run of a measuring DAG takes so long that something must hang.

A hung model server, a GPU host that went away, an approval that nobody gives: all of them look the same
from outside, a run that does not end. `JOULEBOARD_DEADLINE_HOURS` (default 24) after it was created the
run is marked in the UI, and one line goes to the triggerer's log and, as `{"text": ...}`, to
`JOULEBOARD_ALERT_URL` (a chat's incoming webhook, for example). Nothing is stopped: a person decides.
"""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import AsyncCallback, BaseDeadlineReference, DeadlineAlert, conf, deadline_reference

from benchmark_tasks.errors import SettingsError

log = logging.getLogger("airflow.task")

FINISHED = ("success", "failed")
DEFAULT_HOURS = 24.0
_ANSWER_SECONDS = 20.0


@deadline_reference
class RunCreated(BaseDeadlineReference):
    """When a run was created. Registered by the plugin.

    Not `DAGRUN_QUEUED_AT`: with it Airflow 3.3.2 answers 500 to whoever clears a task of the run.
    """

    def _evaluate_with(self, *, session: Any, **kwargs: Any) -> datetime:
        return datetime.now(UTC)


def deadline() -> DeadlineAlert | None:
    """What every measuring DAG has; None when the hours are 0 (`dag.test()` cannot handle one).

    Raises:
        SettingsError: the hours are no number of hours.
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
        callback=AsyncCallback(tell),
        name="takes too long",
    )


async def tell(context: dict[str, Any]) -> str:
    """Say which run is late; runs in the triggerer. Returns what was said.

    An address that does not answer fails the callback, which the triggerer logs. Airflow forgets the
    deadline of a run that succeeded, not of one that failed: that one has been seen to.
    """
    if context["dag_run"]["state"] in FINISHED:
        return "it has ended"
    line = late_line(context, conf.get("api", "base_url", fallback=""))
    log.warning("%s", line)
    url = os.environ.get("JOULEBOARD_ALERT_URL")
    if url:
        import httpx

        async with httpx.AsyncClient(timeout=_ANSWER_SECONDS) as client:
            (await client.post(url, json={"text": line})).raise_for_status()
    return line


def late_line(context: dict[str, Any], base_url: str) -> str:
    """One line with the way to the run."""
    run = context["dag_run"]
    dag_id, run_id = run["dag_id"], run.get("dag_run_id") or run.get("run_id")
    where = f"{base_url.rstrip('/')}/dags/{dag_id}/runs/{run_id}"
    return f"{dag_id} {run_id} is {run['state']} past its deadline: see which of its tasks hangs, {where}"
