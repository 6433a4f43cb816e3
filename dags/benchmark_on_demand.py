"""
### Benchmark on demand

Measures one model on one task, as the form says: trigger it with a model, a task, a GPU model and, if
the catalog's are not the ones you want, batch sizes and a runtime version. A model that was accepted from
the hub is in the form once this file was read again (within a minute or so).

1. `plan`: checks that the combination is possible; one that is not fails here, with one line that says
   why. What is landed is left out, unless *force* is set.
2. `estimate`: what it cost before; what was never measured is unknown. Nobody is asked: who triggers
   this has decided.
3. `measure`, `announce`, `verdict`: as in `benchmark_release`.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param, dag, task

from jouleboard_airflow.dag_parts import forms, measuring
from jouleboard_airflow.failures import one_line_errors
from jouleboard_airflow.tasks import planning

CATALOG, NOTICE = forms.installed_catalog()


@dag(
    schedule=None,
    doc_md=__doc__ + NOTICE,
    **measuring.dag_defaults("on-demand"),
    params={
        "model": forms.one_model(CATALOG),
        "task": forms.one_task(CATALOG),
        "gpu_model": forms.one_gpu_model(CATALOG),
        "num_gpus": Param(
            None,
            type=["null", "integer"],
            minimum=0,
            maximum=64,
            title="Number of GPUs",
            description="Empty: one, or none without a GPU.",
        ),
        "batch_sizes": Param(
            None,
            type=["null", "string"],
            pattern=r"^[0-9]+([ ,]+[0-9]+)*$",
            title="Batch sizes",
            description="For example 8, 32, 128. Empty: the catalog's.",
        ),
        "version": forms.version(),
        "repeats": forms.repeats(),
        "force": forms.force(),
        "note": forms.note(),
    },
)
def benchmark_on_demand() -> None:
    @task(**measuring.PLANS)
    def plan(params: dict[str, Any], run_id: str) -> list[dict[str, Any]]:
        """The sweep that was asked for, if it is possible."""
        with one_line_errors():
            return planning.plan_on_demand(params, run_id)

    planned = plan()
    measuring.estimate(planned)
    measuring.measure(planned) >> measuring.announce() >> measuring.verdict()


benchmark_on_demand()
