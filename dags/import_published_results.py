"""
### Import published results

Imports ML.ENERGY's published results. They stand beside our own and are never mixed with them
(`data_source = mlenergy-v3`). Trigger it with the folder or address that has `index.json`, `tasks/` and
`models/`; without one, ML.ENERGY's public address is read. If this machine has a copy
(`JOULEBOARD_PUBLISHED_V3`), the form offers that copy.

Every field is checked. One wrong field refuses the whole import, and the earlier import stays; the last line
of the log names file, row and reason. To import the same files again changes nothing. New files start
`refresh_leaderboard`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import dag, task

from jouleboard_airflow.dag_parts import forms
from jouleboard_airflow.dag_parts.assets import PUBLISHED_RESULTS
from jouleboard_airflow.dag_parts.deadlines import deadline
from jouleboard_airflow.dag_parts.measuring import OWNER_LINKS
from jouleboard_airflow.failures import RETRIES, one_line_errors
from jouleboard_airflow.tasks import choices, releases


@dag(
    schedule=None,
    max_active_runs=1,
    deadline=deadline(hours=3),
    default_args={"owner": "jouleboard"},
    owner_links=OWNER_LINKS,
    tags=["jouleboard", "import"],
    doc_md=__doc__,
    params={
        "source": forms.source(),
        "note": forms.note("the import"),
    },
)
def import_published_results() -> None:
    @task(task_id="import", outlets=[PUBLISHED_RESULTS], execution_timeout=timedelta(hours=1), **RETRIES)
    def import_(params: dict[str, Any], ti: Any) -> dict[str, Any]:
        """Read the results, check them, and store them."""
        with one_line_errors(ti):
            choices.require_possible(choices.of_import(params))
            return releases.import_results(params["source"], params["note"])

    import_()


import_published_results()
