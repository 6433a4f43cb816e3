"""
### Rotation

Measures every week what waits: configurations that were not measured under the newest release, because its
canaries changed nothing (`benchmark_release`).

1. `plan`: of these, the configurations that were **measured longest ago**, on each GPU model within a number
   of GPU-hours per week. What rotations of the last seven days spent is counted from their landed runs, and
   what a configuration will cost from its earlier runs.
2. `estimate`, `measure`, `announce`, `verdict`: as in `benchmark_release`. Nobody is asked.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import dag, task

from jouleboard_airflow.dag_parts import forms, measuring, schedules
from jouleboard_airflow.failures import one_line_errors
from jouleboard_airflow.tasks import canaries

CATALOG, NOTICE = forms.installed_catalog()
HERE = forms.Here.known(CATALOG)


@dag(
    schedule=schedules.at("0 6 * * 0"),
    catchup=False,
    doc_md=__doc__ + NOTICE,
    **measuring.dag_defaults("rotation"),
    params={
        canaries.WEEKLY: forms.number(
            canaries.WEEKLY,
            "On each GPU model, in seven days. Empty: the catalog's (canaries.yaml).",
            minimum=0,
        ),
        "gpu_model": forms.gpu_model(HERE),
        "note": forms.note(),
    },
)
def rotation() -> None:
    @task(**measuring.PLANS)
    def plan(params: dict[str, Any], run_id: str, ti: Any) -> list[dict[str, Any]]:
        """Plan what was measured longest ago."""
        with one_line_errors(ti):
            return canaries.plan_rotation(params, run_id)

    planned = plan()
    measuring.estimate(planned)
    measuring.measure(planned) >> measuring.announce() >> measuring.verdict()


rotation()
