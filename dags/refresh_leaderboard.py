"""
### Refresh the leaderboard

Audits the landed runs, builds the marts, lets the gate decide, and publishes: a new numbered
publication, or none when nothing changed.

1. `refresh`: build, audit, publish. A refusal fails it with the reason in its last log line, and the
   last publication stays current.
2. `ask_a_person`: skipped, unless the candidate changes more than a machine may decide. Then it waits
   under *Required Actions* with the figures. No answer in time counts as *Reject*.
3. `publish_approved`: after *Approve*, exactly the changes that were shown, with who approved and why.
4. `announce`: fails with the reason after *Reject*; skipped when nothing changed.

Runs when a benchmark run announced new runs or an import brought something, and once a day. One at a
time: the next run waits for an open question. *Approve* in the form answers beforehand.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, task

from jouleboard_airflow.dag_parts import schedules
from jouleboard_airflow.dag_parts.assets import LEADERBOARD, PUBLISHED_RESULTS, RAW_RUNS
from jouleboard_airflow.dag_parts.measuring import OWNER_LINKS
from jouleboard_airflow.failures import RETRIES, one_line_errors
from jouleboard_airflow.tasks import releases
from jouleboard_airflow.tasks.approval import (
    ANSWER,
    ASK_TASK,
    ASKS_AGAIN,
    HOURS,
    WHY,
    AskApproval,
    hours_to_answer,
)

BUILDS: dict[str, Any] = {"pool": "duckdb_writer", "execution_timeout": timedelta(hours=1), **RETRIES}


@dag(
    schedule=schedules.at_or_after("30 4 * * *", RAW_RUNS | PUBLISHED_RESULTS),
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "jouleboard"},
    owner_links=OWNER_LINKS,
    tags=["jouleboard", "publication"],
    doc_md=__doc__,
    params={
        "note": Param(
            None, type=["null", "string"], title="Note", description="Kept with the publication, if any."
        ),
        "approve": Param(
            None,
            type=["null", "string"],
            title="Approve",
            description="Why a change beyond the band is right; lets through only what a person may decide.",
        ),
        HOURS: hours_to_answer(),
    },
)
def refresh_leaderboard() -> None:
    @task(**BUILDS)
    def refresh(params: dict[str, Any], dag_run: Any) -> dict[str, Any]:
        """Build, audit, publish; or come back with a question."""
        with one_line_errors():
            return releases.refresh(params["note"], params["approve"], dag_run.triggering_user_name)

    @task(**BUILDS)
    def publish_approved(refreshed: dict[str, Any], params: dict[str, Any], ti: Any) -> dict[str, Any]:
        """Build, audit and publish again, with a person's word for the changes."""
        with one_line_errors():
            answer = ti.xcom_pull(task_ids=ASK_TASK, key=ANSWER)
            return releases.publish_approved(refreshed["question"], answer, params["note"])

    @task(outlets=[LEADERBOARD], trigger_rule="none_failed")
    def announce(refreshed: dict[str, Any], approved: dict[str, Any] | None, ti: Any) -> str:
        """Say how it ended."""
        with one_line_errors():
            return releases.announce(refreshed, approved, ti.xcom_pull(task_ids=ASK_TASK, key=ANSWER))

    refreshed = refresh()
    approved = publish_approved(refreshed)
    ask = AskApproval(task_id=ASK_TASK, asking=refreshed, params=WHY, **ASKS_AGAIN)
    ask >> approved
    announce(refreshed, approved)


refresh_leaderboard()
