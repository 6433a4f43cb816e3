"""
### Benchmark on demand

Measures one model on one task. Choose a model, a task and a GPU model in the form; batch sizes and the
runtime version are the catalog's and the newest unless you give others. A model that was accepted from the
hub appears in the form within about a minute.

1. `plan`: checks that the combination is possible. If not, it fails with one line that says why. What is
   landed already is not measured again, unless *Force* is set.
2. `estimate`: the cost, from earlier runs of the same configurations; unknown if there are none. Nobody is
   asked for approval here.
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
            description="Empty: 1; without a GPU 0.",
        ),
        "batch_sizes": Param(
            None,
            type=["null", "string"],
            pattern=r"^[0-9]+([ ,]+[0-9]+)*$",
            title="Batch sizes",
            description="For example 8, 32, 128. Empty: those of the catalog.",
        ),
        "version": forms.version(),
        "repeats": forms.repeats(),
        "weights": forms.weights(),
        "force": forms.force(),
        "note": forms.note(),
    },
)
def benchmark_on_demand() -> None:
    @task(**measuring.PLANS)
    def plan(params: dict[str, Any], run_id: str) -> list[dict[str, Any]]:
        """Plan the sweep, if it is possible."""
        with one_line_errors():
            return planning.plan_on_demand(params, run_id)

    planned = plan()
    measuring.estimate(planned)
    measuring.measure(planned) >> measuring.announce() >> measuring.verdict()


benchmark_on_demand()
