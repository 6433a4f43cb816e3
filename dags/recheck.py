"""
### Recheck

Every week: measures again what is published, and compares.

1. `plan`: the canaries, and a sample of the published configurations: those that waited longest, so
   that each has its turn.
2. `estimate`, `measure`: as in `benchmark_release`; nobody is asked.
3. `announce`: the runs are landed and set aside by the gate (`not_a_recheck`). **They never replace or
   join a published figure by themselves**; `jouleboard quarantine release RUN --why ...` is how a
   person lets one count.
4. `compare`: each figure beside the new runs, on the GPUs that measured both where there are any: the
   change with its interval, widened for the number of figures looked at. *Confirmed* when all of it is
   within 5 %, *differs* when all of it is outside, *unclear* otherwise. Energy that differs on GPUs that
   never measured it before *differs, on another GPU*: two GPUs of one model may. One line a figure in
   its log.
5. `verdict`: red if a sweep failed or a figure differs.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param, TriggerRule, dag, task

from jouleboard_airflow.dag_parts import forms, measuring, schedules
from jouleboard_airflow.failures import one_line_errors
from jouleboard_airflow.tasks import judging, planning


@dag(
    schedule=schedules.at("0 6 * * 6"),
    catchup=False,
    doc_md=__doc__,
    **measuring.dag_defaults("recheck"),
    params={
        "sample": Param(
            4,
            type="integer",
            minimum=0,
            maximum=100,
            title="Sample",
            description="How many published configurations, beside the canaries.",
        ),
        "repeats": forms.repeats(3),
        "gpu_model": forms.gpu_model(),
        "note": forms.note(),
    },
)
def recheck() -> None:
    @task(**measuring.PLANS)
    def plan(params: dict[str, Any], run_id: str) -> list[dict[str, Any]]:
        """What to measure again."""
        with one_line_errors():
            return planning.plan_recheck(params, run_id)

    @task(trigger_rule=TriggerRule.NONE_SKIPPED, **measuring.PLANS)
    def compare(planned: list[dict[str, Any]], run_id: str) -> list[dict[str, Any]]:
        """Published beside measured again."""
        with one_line_errors():
            return judging.compare_with_published(planned, run_id)

    @task(trigger_rule=TriggerRule.ALL_DONE)
    def verdict(compared: list[dict[str, Any]] | None, ti: Any) -> str:
        """The leaf that decides: red if a sweep failed or a figure differs."""
        return judging.give_recheck_verdict(ti, compared)

    planned = plan()
    measuring.estimate(planned)
    announced = measuring.announce()
    measuring.measure(planned) >> announced
    compared = compare(planned)
    announced >> compared
    verdict(compared)


recheck()
