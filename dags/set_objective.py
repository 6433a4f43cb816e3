"""
### Set a latency objective

Sets a latency objective of this installation, or removes one: ceilings on a percentile of the time to the
first token (TTFT) and of the time between tokens (ITL). From the next publication on, every load that was
measured at a request rate is judged by it, also those of before: the marts `serving_capacity` and
`energy_under_load` and the page *Load*.

1. `record`: writes `objectives/<name>.yaml` in this installation's catalog, and starts `refresh_leaderboard`.
   It fails with one line if the objective cannot be so.

An objective named `chat`, `code` or `batch` replaces the shipped one; *Decision* brings the shipped one back.
An objective has one ceiling or both. A ceiling without a percentile is of the 99th. Without an objective the
run is skipped.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, get_args

from airflow.sdk import Param, dag, task

from benchmark_tasks.catalog.objectives import NAME_PATTERN, Percentile
from jouleboard_airflow.dag_parts import forms
from jouleboard_airflow.dag_parts.assets import DECISIONS
from jouleboard_airflow.dag_parts.deadlines import deadline
from jouleboard_airflow.dag_parts.measuring import OWNER_LINKS
from jouleboard_airflow.failures import one_line_errors
from jouleboard_airflow.tasks import choices, objectives

PERCENTILES = list(get_args(Percentile))


def _ceiling(name: str) -> Param:
    return forms.number(name, "Empty: no ceiling.", exclusiveMinimum=0)


def _percentile(name: str) -> Param:
    return Param(
        99,
        enum=PERCENTILES,
        title=choices.TITLES[name],
        values_display={str(percentile): f"{percentile}th percentile" for percentile in PERCENTILES},
    )


@dag(
    schedule=None,
    max_active_runs=1,
    deadline=deadline(hours=1),
    default_args={"owner": "jouleboard"},
    owner_links=OWNER_LINKS,
    tags=["jouleboard", "publication", "load"],
    doc_md=__doc__,
    params={
        objectives.OBJECTIVE: Param(
            None,
            type=["null", "string"],
            pattern=NAME_PATTERN,
            title=choices.TITLES[objectives.OBJECTIVE],
            description="Its name: small letters, digits and hyphens.",
        ),
        "decision": forms.choice("decision", {objectives.SET: "Set it", objectives.REMOVE: "Remove it"}),
        "ttft_ms": _ceiling("ttft_ms"),
        "ttft_percentile": _percentile("ttft_percentile"),
        "itl_ms": _ceiling("itl_ms"),
        "itl_percentile": _percentile("itl_percentile"),
        "note": forms.text("note", "Where the ceilings come from, or who wants them."),
    },
)
def set_objective() -> None:
    @task(outlets=[DECISIONS], execution_timeout=timedelta(minutes=10))
    def record(params: dict[str, Any], dag_run: Any, ti: Any) -> str:
        """Write the objective in the name of the person who triggered the run."""
        with one_line_errors(ti):
            choices.require_possible(objectives.misfits(params))
            return objectives.decide(params, dag_run.triggering_user_name)

    record()


set_objective()
