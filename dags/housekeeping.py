"""
### Housekeeping

Says every week what can be freed, and frees it if it is told to; and works every published figure out again.
Freed are environments of releases that neither rank
nor are compared, old logs of tasks, old rows of Airflow's database, bundles that can move to cold storage,
imports and publications that newer ones have replaced. **Nothing published or judged is ever lost.**

1. `housekeeping`: the log has one line per kind, with its size and what could be or was freed.
2. `recompute`: every row of the current publication, from its bundles, without dbt and the gate (as
   `jouleboard publications verify --deep`). It fails if a figure differs or a bundle is missing or changed.

The policy is `housekeeping.yaml` of the catalog; `$JOULEBOARD_HOME/catalog/housekeeping.yaml` replaces
sections of it. What the weekly run does is its field `weekly` (`report` by default). *Apply* in the form
decides for one run.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, task

from jouleboard_airflow.dag_parts import schedules
from jouleboard_airflow.dag_parts.deadlines import deadline
from jouleboard_airflow.dag_parts.measuring import OWNER_LINKS
from jouleboard_airflow.failures import RETRIES, one_line_errors
from jouleboard_airflow.tasks import choices


@dag(
    schedule=schedules.at("0 3 * * 0"),
    catchup=False,
    max_active_runs=1,
    deadline=deadline(hours=7),
    default_args={"owner": "jouleboard"},
    owner_links=OWNER_LINKS,
    tags=["jouleboard", "housekeeping"],
    doc_md=__doc__,
    params={
        "apply": Param(
            None,
            type=["null", "boolean"],
            title=choices.TITLES["apply"],
            description="Free it. Empty: what the policy says for the weekly run.",
        ),
    },
)
def housekeeping() -> None:
    @task(task_id="housekeeping", pool="duckdb_writer", execution_timeout=timedelta(hours=6), **RETRIES)
    def tidy(params: dict[str, Any]) -> list[dict[str, Any]]:
        """Say what can be freed, and free it if told to."""
        from jouleboard_airflow.upkeep import scheduled

        with one_line_errors():
            choices.require_possible(choices.texts(params, choices.HOUSEKEEPING))
            return scheduled.tidy(params["apply"])

    @task(task_id="recompute", execution_timeout=timedelta(hours=6), **RETRIES)
    def figures() -> str:
        """Work every published figure out again."""
        from jouleboard_airflow.upkeep import scheduled

        with one_line_errors():
            return scheduled.recompute_figures()

    tidy() >> figures()


housekeeping()
