"""
### Contest a change

A person objects to what reruns say about a change of energy, whether it is *confirmed* or *not confirmed*.
From the next publication on it is *contested* on the board, in the feed and in notifications, with the note
and the name of the person who triggered this run. Nothing measured changes, and what reruns say stays beside
it.

1. `record`: stores who, when and why, and starts `refresh_leaderboard`. It fails with one line if there is no
   such change, if it was not measured again yet, or if there is no note.

*Change* is the id beside the change on the page of its release; `jouleboard changes` lists all.
*Decision* takes a contest back, too. Every entry is kept. Without a change the run is skipped.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import dag, task

from jouleboard_airflow.dag_parts import forms
from jouleboard_airflow.dag_parts.assets import DECISIONS
from jouleboard_airflow.dag_parts.deadlines import deadline
from jouleboard_airflow.dag_parts.measuring import OWNER_LINKS
from jouleboard_airflow.failures import one_line_errors
from jouleboard_airflow.tasks import choices, contesting


@dag(
    schedule=None,
    max_active_runs=1,
    deadline=deadline(hours=1),
    default_args={"owner": "jouleboard"},
    owner_links=OWNER_LINKS,
    tags=["jouleboard", "publication", "releases"],
    doc_md=__doc__,
    params={
        contesting.CHANGE: forms.text(contesting.CHANGE, "Id of the change, or the beginning of it."),
        contesting.DECISION: forms.choice(
            contesting.DECISION,
            {
                contesting.CONTEST: "Contest what reruns say",
                contesting.WITHDRAW: "Withdraw a contest",
            },
        ),
        "note": forms.text("note", "Why. It is shown with the change, and must not be empty to contest it."),
    },
)
def contest_change() -> None:
    @task(outlets=[DECISIONS], execution_timeout=timedelta(minutes=10))
    def record(params: dict[str, Any], dag_run: Any, ti: Any) -> str:
        """Record the decision of the person who triggered the run."""
        with one_line_errors(ti):
            choices.require_possible(contesting.misfits(params))
            return contesting.decide(params, dag_run.triggering_user_name)

    record()


contest_change()
