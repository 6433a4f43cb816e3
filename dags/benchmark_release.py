"""
### Benchmark a release

Measures one release of a runtime: every configuration of the catalog that is not landed yet.

1. `plan`: the catalog's configurations for this release on every GPU model of the fleet, without those that
   are landed. If none is missing, all later tasks are skipped. It fails if the form asks for something that
   is impossible here; one line says which fields, why, and what to choose instead.
2. `estimate`: the cost, from earlier runs of the same configurations; unknown if there are none.
3. `ask_a_person`: asks for approval if the cost is above a limit of GPU-hours, or if GPU time is unknown.
   The question is under *Required Actions*; no answer in time counts as *Reject*. Otherwise it is skipped.
4. `measure`: one task per sweep (one server, several batch sizes); its name says what it measures. It takes
   one slot of its GPU model's pool per GPU, and lands each run as soon as it is measured. Canaries, which
   are models that are measured first, come before all others.
5. `announce`: starts `refresh_leaderboard`, also when a sweep failed before its end.
6. `verdict`: fails the run if a sweep failed or a person rejected the plan.

The last line of a failed sweep's log is its error. A configuration that does not fit the GPU is recorded as
infeasible and not tried again; after a busy GPU the task is tried again. To resume, **clear** the failed
tasks: runs that are landed are not measured again. Clear `plan` with its downstream tasks to plan again what
is missing.

The limit is the form's, or else the Airflow variable `jouleboard_ask_above_gpu_hours`, or else 48.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param, dag, task

from jouleboard_airflow.dag_parts import forms, measuring
from jouleboard_airflow.failures import one_line_errors
from jouleboard_airflow.tasks import estimating, planning
from jouleboard_airflow.tasks.approval import ASK_TASK, ASKS_AGAIN, HOURS, WHY, AskApproval, hours_to_answer
from jouleboard_airflow.tasks.choices import TITLES

CATALOG, NOTICE = forms.installed_catalog()
HERE = forms.Here.known(CATALOG)


@dag(
    schedule=None,
    doc_md=__doc__ + NOTICE,
    **measuring.dag_defaults("release"),
    params={
        "runtime": forms.runtime(CATALOG),
        "version": forms.version(),
        "models": forms.models(CATALOG),
        "tasks": forms.tasks(CATALOG),
        "repeats": forms.repeats(),
        "weights": forms.weights(),
        "gpu_model": forms.gpu_model(HERE),
        "force": forms.force(),
        "revision": Param(
            None,
            type=["null", "string"],
            pattern="^[0-9a-f]{40}$",
            title=TITLES["revision"],
            description="Measure the models only while the catalog has this revision (commit) of them.",
        ),
        "note": forms.note(),
        estimating.THRESHOLD: Param(
            None,
            type=["null", "number"],
            minimum=0,
            title=TITLES[estimating.THRESHOLD],
            description="Above it a person is asked. Empty: the Airflow variable, or else 48.",
        ),
        "approve": forms.text("approve", "Reason to measure without a question."),
        HOURS: hours_to_answer(),
    },
)
def benchmark_release() -> None:
    @task(**measuring.PLANS)
    def plan(params: dict[str, Any], run_id: str, ti: Any) -> list[dict[str, Any]]:
        """Plan the sweeps that are missing."""
        with one_line_errors(ti):
            return planning.plan_release(params, run_id)

    @task(**measuring.PLANS)
    def estimate(planned: list[dict[str, Any]], params: dict[str, Any], ti: Any) -> dict[str, Any]:
        """What the plan will cost; with a question if that is above the limit or unknown."""
        with one_line_errors(ti):
            return estimating.estimate_and_ask(planned, params)

    planned = plan()
    ask = AskApproval(task_id=ASK_TASK, asking=estimate(planned), params=WHY, **ASKS_AGAIN)
    measuring_all = measuring.measure(planned)
    ask >> measuring_all >> measuring.announce() >> measuring.verdict()


benchmark_release()
