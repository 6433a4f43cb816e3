"""
### Refresh the leaderboard

Audits the landed runs, builds the marts, lets the gate decide, and publishes. The result is a new numbered
publication, or none if nothing changed.

1. `refresh`: builds, audits and publishes. If the gate refuses, the task fails, the last line of its log says
   why, and the last publication stays current. Before anything has landed it is skipped.
2. `ask_a_person`: asks for approval if published figures change by more than the gate lets through by itself.
   The question is under *Required Actions*, with the figures. No answer in time counts as *Reject*.
   Otherwise it is skipped.
3. `publish_approved`: after *Approve*, publishes exactly the changes that were shown, and records who
   approved and why.
4. `copy_to_database`: copies the current publication into the database of `JOULEBOARD_PUBLISH_TO`. If that
   fails, the task fails, what is published stays so, and the next run copies it. Skipped if no database is
   named or it has this publication.
5. `announce`: fails with the reason after *Reject*; is skipped if nothing changed.

It runs after measurements, after an import, after `contest_change` and `set_objective`, and daily. Only one
run at a time: the next one waits for an open question. *Approve* in the form answers the question in advance.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import dag, task

from jouleboard_airflow.dag_parts import forms, schedules
from jouleboard_airflow.dag_parts.assets import DECISIONS, LEADERBOARD, PUBLISHED_RESULTS, RAW_RUNS
from jouleboard_airflow.dag_parts.deadlines import deadline
from jouleboard_airflow.dag_parts.measuring import OWNER_LINKS
from jouleboard_airflow.failures import RETRIES, one_line_errors
from jouleboard_airflow.tasks import choices, releases
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
    schedule=schedules.at_or_after("30 4 * * *", RAW_RUNS | PUBLISHED_RESULTS | DECISIONS),
    catchup=False,
    max_active_runs=1,
    deadline=deadline(hours=3),
    default_args={"owner": "jouleboard"},
    owner_links=OWNER_LINKS,
    tags=["jouleboard", "publication"],
    doc_md=__doc__,
    params={
        "note": forms.note("the publication"),
        "approve": forms.text(
            "approve", "Reason why large changes are right. What the gate always refuses stays refused."
        ),
        HOURS: hours_to_answer(),
    },
)
def refresh_leaderboard() -> None:
    @task(**BUILDS)
    def refresh(params: dict[str, Any], dag_run: Any, ti: Any) -> dict[str, Any]:
        """Build, audit and publish; or return a question."""
        with one_line_errors(ti):
            choices.require_possible(choices.texts(params, choices.REFRESH))
            return releases.refresh(params["note"], params["approve"], dag_run.triggering_user_name)

    @task(**BUILDS)
    def publish_approved(refreshed: dict[str, Any], params: dict[str, Any], ti: Any) -> dict[str, Any]:
        """Build, audit and publish again, with a person's approval of the changes."""
        with one_line_errors(ti):
            answer = ti.xcom_pull(task_ids=ASK_TASK, key=ANSWER)
            return releases.publish_approved(refreshed["question"], answer, params["note"])

    @task(trigger_rule="none_failed", execution_timeout=timedelta(minutes=30), **RETRIES)
    def copy_to_database(ti: Any) -> str:
        """Copy the current publication into the database that tools of business intelligence read."""
        with one_line_errors(ti):
            return releases.copy_to_database()

    @task(outlets=[LEADERBOARD], trigger_rule="none_failed")
    def announce(refreshed: dict[str, Any] | None, approved: dict[str, Any] | None, ti: Any) -> str:
        """Say how the refresh ended."""
        with one_line_errors(ti):
            return releases.announce(refreshed, approved, ti.xcom_pull(task_ids=ASK_TASK, key=ANSWER))

    refreshed = refresh()
    approved = publish_approved(refreshed)
    ask = AskApproval(task_id=ASK_TASK, asking=refreshed, params=WHY, **ASKS_AGAIN)
    ask >> approved
    [refreshed, approved] >> copy_to_database()
    announce(refreshed, approved)


refresh_leaderboard()
