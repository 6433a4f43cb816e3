"""
### Benchmark on demand

Measures one model on one task. Choose a model, a task and a GPU model in the form. What the form shows at
first works on this installation. Batch sizes are the catalog's, and the runtime version is the newest, unless
you write others. *Request rates* measure requests that arrive by themselves, instead of a closed loop; at
rate 0 alone, *Sleep* measures the server asleep, too. *Prompts* asks what is in a file of your own; with
*Answer form* its answers are graded. A model that was accepted from the hub appears in the form within about
a minute.

1. `plan`: checks that the combination is possible. If not, it fails with one line. For each field that is
   impossible, the line says why, and what to choose instead. What is landed already is not measured again,
   unless *Force* is set.
2. `estimate`: the cost, from earlier runs of the same configurations; unknown if there are none. Nobody is
   asked for approval here.
3. `measure`, `announce`, `verdict`: as in `benchmark_release`.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import dag, task

from jouleboard_airflow.dag_parts import forms, measuring
from jouleboard_airflow.failures import one_line_errors
from jouleboard_airflow.tasks import planning

CATALOG, NOTICE = forms.installed_catalog()
HERE = forms.Here.known(CATALOG)


@dag(
    schedule=None,
    doc_md=__doc__ + NOTICE,
    **measuring.dag_defaults("on-demand"),
    params={
        "model": forms.one_model(CATALOG, HERE),
        "task": forms.one_task(CATALOG, HERE),
        "gpu_model": forms.one_gpu_model(CATALOG, HERE),
        "num_gpus": forms.number_of_gpus(HERE),
        "batch_sizes": forms.batch_sizes(HERE),
        "rates": forms.rates(),
        "burstiness": forms.burstiness(),
        "sleep": forms.sleep(),
        "version": forms.version(),
        "repeats": forms.repeats(),
        "weights": forms.weights(),
        "weights_folder": forms.weights_folder(),
        **forms.requests(),
        "force": forms.force(),
        "note": forms.note(),
    },
)
def benchmark_on_demand() -> None:
    @task(**measuring.PLANS)
    def plan(params: dict[str, Any], run_id: str, ti: Any) -> list[dict[str, Any]]:
        """Plan the sweep, if it is possible."""
        with one_line_errors(ti):
            return planning.plan_on_demand(params, run_id, ti)

    planned = plan()
    measuring.estimate(planned)
    measuring.measure(planned) >> measuring.announce() >> measuring.verdict()


benchmark_on_demand()
