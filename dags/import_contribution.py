"""
### Import a contribution

Takes what somebody else measured: a file of `jouleboard contribute`, or a folder of signed bundles, after a
person has approved it. The contributor's key must be trusted: `jouleboard keys trust NAME ed25519:... --kind
contributor`.

1. `check`: copies or fetches the file aside and asks the gate: signatures, copies and replays, other people's
   runs, impossible hardware, and all that sets a run aside. It fails if anything is wrong; the log has a
   line per fault. If all of it has landed already, the run is skipped.
2. `ask_a_person`: says under *Required Actions* who contributes how many runs of what. **Nothing lands before
   the approval.** No answer in time counts as *Reject*.
3. `land`: checks again, then lands all bundles, and starts `refresh_leaderboard`. The rows have the tier
   `contributed`, until we reproduce them.
4. `tidy`: removes the copy, whatever became of it. After a rejection nothing is left.

A file may have 1 GiB, and 4 GiB unpacked. Links, other paths and everything that is not a bundle's are
refused.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, task, teardown

from jouleboard_airflow.dag_parts.assets import RAW_RUNS
from jouleboard_airflow.dag_parts.deadlines import deadline
from jouleboard_airflow.dag_parts.measuring import OWNER_LINKS
from jouleboard_airflow.failures import RETRIES, one_line_errors
from jouleboard_airflow.tasks import choices, contributing
from jouleboard_airflow.tasks.approval import (
    ASK_TASK,
    ASKS_AGAIN,
    HOURS,
    WHY,
    AskApproval,
    hours_to_answer,
)

READS: dict[str, Any] = {"execution_timeout": timedelta(hours=1), **RETRIES}


@dag(
    schedule=None,
    max_active_runs=1,
    deadline=deadline(hours=3),
    default_args={"owner": "jouleboard"},
    owner_links=OWNER_LINKS,
    tags=["jouleboard", "import"],
    doc_md=__doc__,
    params={
        contributing.CONTRIBUTOR: Param(
            None,
            type=["null", "string"],
            pattern=contributing.NAME_PATTERN,
            title=choices.TITLES[contributing.CONTRIBUTOR],
            description="Name of the contributor's key, as `jouleboard keys list` shows it.",
        ),
        "source": Param(
            None,
            type=["null", "string"],
            maxLength=choices.LONGEST_TEXT,
            title=choices.TITLES["source"],
            description="Whole path of the file or folder on the worker, or http(s) address of the file.",
        ),
        HOURS: hours_to_answer(),
    },
)
def import_contribution() -> None:
    @task(**READS)
    def check(params: dict[str, Any], run_id: str, ti: Any) -> dict[str, Any]:
        """Copy it aside, check it, and put the question."""
        with one_line_errors(ti):
            choices.require_possible(contributing.misfits(params))
            return contributing.check(params, run_id)

    @task(outlets=[RAW_RUNS], **READS)
    def land(checked: dict[str, Any], ti: Any) -> list[str]:
        """Land what was approved."""
        with one_line_errors(ti):
            return contributing.land(checked)

    @teardown
    @task(execution_timeout=timedelta(minutes=10))
    def tidy(run_id: str) -> None:
        """Remove the copy."""
        contributing.tidy(run_id)

    checked = check()
    ask = AskApproval(task_id=ASK_TASK, asking=checked, params=WHY, **ASKS_AGAIN)
    landed = land(checked)
    ask >> landed >> tidy()


import_contribution()
