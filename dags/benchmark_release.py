"""
### Benchmark a release

Measures what the catalog wants to know about one runtime release and what is not landed yet.

1. `plan`: catalog x release - what is landed, for every GPU model of the fleet. Nothing missing:
   everything after it is skipped.
2. `estimate`: what the same configurations cost when they were measured before. What never was is
   unknown, and said to be.
3. `ask_a_person`: skipped, unless that is above a limit of GPU-hours, or GPU time is unknown. Then it
   waits under *Required Actions*; no answer in time counts as *Reject*.
4. `measure`: one task a sweep (one server, several batch sizes), named by what it measures. It takes
   as many slots of its GPU model's pool as it uses GPUs, and lands each run as soon as it is measured.
   Canaries come first.
5. `announce`: tells `refresh_leaderboard` that there are new runs, also when a sweep failed half-way.
6. `verdict`: fails the run if any sweep failed, or a person declined.

A sweep that failed shows its error as the last line of its log. A configuration that does not fit the
device is recorded as infeasible and not tried again; a busy GPU is. **Clear** what failed to resume:
what is landed is not measured again. Clearing `plan` (with downstream) plans only what is missing.

The limit: the form's field, else the Airflow variable `jouleboard_ask_above_gpu_hours`, else 48.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param, dag, task

from benchmark_tasks.vocabulary import Runtime
from jouleboard_airflow.dag_parts import forms, measuring
from jouleboard_airflow.failures import one_line_errors
from jouleboard_airflow.tasks import estimating, planning
from jouleboard_airflow.tasks.approval import ASK_TASK, ASKS_AGAIN, HOURS, WHY, AskApproval, hours_to_answer


@dag(
    schedule=None,
    doc_md=__doc__,
    **measuring.dag_defaults("release"),
    params={
        "runtime": Param(Runtime.VLLM.value, enum=[runtime.value for runtime in Runtime], title="Runtime"),
        "version": forms.version(),
        "models": Param(
            None, type=["null", "array"], title="Models", description="One id a line. Empty: all that fit."
        ),
        "tasks": Param(None, type=["null", "array"], title="Tasks", description="Empty: all."),
        "repeats": forms.repeats(),
        "gpu_model": forms.gpu_model(),
        "force": forms.force(),
        "revision": Param(
            None,
            type=["null", "string"],
            pattern="^[0-9a-f]{40}$",
            title="Revision",
            description="Why the models named above are measured; skipped once the catalog is at another.",
        ),
        "note": forms.note(),
        estimating.THRESHOLD: Param(
            None,
            type=["null", "number"],
            minimum=0,
            title="Ask above, GPU-hours",
            description="A person is asked above it. Empty: the Airflow variable, else 48.",
        ),
        "approve": Param(
            None, type=["null", "string"], title="Approve", description="Why this needs no question."
        ),
        HOURS: hours_to_answer(),
    },
)
def benchmark_release() -> None:
    @task(**measuring.PLANS)
    def plan(params: dict[str, Any], run_id: str) -> list[dict[str, Any]]:
        """What is missing."""
        with one_line_errors():
            return planning.plan_release(params, run_id)

    @task(**measuring.PLANS)
    def estimate(planned: list[dict[str, Any]], params: dict[str, Any]) -> dict[str, Any]:
        """What it will cost, as far as it was measured before; with a question if that is much."""
        with one_line_errors():
            return estimating.estimate_and_ask(planned, params)

    planned = plan()
    ask = AskApproval(task_id=ASK_TASK, asking=estimate(planned), params=WHY, **ASKS_AGAIN)
    measuring_all = measuring.measure(planned)
    ask >> measuring_all >> measuring.announce() >> measuring.verdict()


benchmark_release()
