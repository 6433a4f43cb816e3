"""
### Recheck

Measures published configurations again every week, and compares.

1. `plan`: the canaries, and a sample of the published configurations: those that were not rechecked for the
   longest time.
2. `estimate`, `measure`: as in `benchmark_release`. Nobody is asked.
3. `announce`: starts `refresh_leaderboard`. The gate sets these runs aside (`not_a_recheck`): **by itself,
   none of them changes a published figure**. With `jouleboard quarantine release RUN --why ...` a person lets
   a run count.
4. `compare`: compares each published figure with its new runs, where possible on the same GPUs. The change
   has a 95 % confidence interval, corrected for the number of figures. The figure is *confirmed* if the whole
   interval is within 5 %, *differs* if the whole interval is outside, and is *unclear* otherwise. If the new
   runs are from GPUs that never measured it, an energy figure *differs, on another GPU*: two GPUs of one
   model may differ. The log has one line per figure.
5. `verdict`: fails the run if a sweep failed or a figure differs.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param, TriggerRule, dag, task

from jouleboard_airflow.dag_parts import forms, measuring, schedules
from jouleboard_airflow.failures import one_line_errors
from jouleboard_airflow.tasks import judging, planning
from jouleboard_airflow.tasks.choices import TITLES

HERE = forms.Here.known(forms.installed_catalog()[0])


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
            title=TITLES["sample"],
            description="Number of published configurations to measure again, besides the canaries.",
        ),
        "repeats": forms.repeats(3),
        "gpu_model": forms.gpu_model(HERE),
        "note": forms.note(),
    },
)
def recheck() -> None:
    @task(**measuring.PLANS)
    def plan(params: dict[str, Any], run_id: str, ti: Any) -> list[dict[str, Any]]:
        """Plan what to measure again."""
        with one_line_errors(ti):
            return planning.plan_recheck(params, run_id)

    @task(trigger_rule=TriggerRule.NONE_SKIPPED, **measuring.PLANS)
    def compare(planned: list[dict[str, Any]], run_id: str) -> list[dict[str, Any]]:
        """Compare the published figures with the new runs."""
        with one_line_errors():
            return judging.compare_with_published(planned, run_id)

    @task(trigger_rule=TriggerRule.ALL_DONE)
    def verdict(compared: list[dict[str, Any]] | None, ti: Any) -> str:
        """The last task: fails if a sweep failed or a figure differs."""
        return judging.give_recheck_verdict(ti, compared)

    planned = plan()
    measuring.estimate(planned)
    announced = measuring.announce()
    measuring.measure(planned) >> announced
    compared = compare(planned)
    announced >> compared
    verdict(compared)


recheck()
