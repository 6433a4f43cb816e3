"""
### Benchmark a release

Measures one release of a runtime: every configuration of the catalog that is not landed yet.

1. `plan_canaries`, `ask_before_canaries`, `plan_canaries_again`, `decide` (on GPUs): canaries, one model per
   kind, are measured first, **in turns with earlier releases on the same GPU** (old, new, new, old). A canary
   that may have changed is measured once more, which also confirms the change. If all canaries of a GPU model
   stay within the margin, what was measured there under an earlier release waits for the DAG `rotation`, and
   the board says so per row. In every other case all is measured: no earlier release, no canary, a change in
   either direction, a canary that failed or stays undecided. *Scope* `everything` leaves canaries out.
2. `plan`: the catalog's configurations for this release on every GPU model of the fleet, without those that
   are landed or wait. If none is missing, all later tasks are skipped. It fails if the form asks for
   something that is impossible here; one line says which fields, why, and what to choose instead.
3. `estimate`: the cost, from earlier runs of the same configurations; unknown if there are none.
4. `ask_a_person`: asks for approval if the cost, canaries included, is above a limit of GPU-hours, or if GPU
   time is unknown. If that holds for the canaries alone, `ask_before_canaries` asks **before the first
   canary**, about the whole release, and nobody is asked again. The question is under *Required Actions*; no
   answer in time counts as *Reject*. Otherwise both are skipped.
5. `measure`: one task per sweep (one server, several batch sizes); its name says what it measures. It takes
   one slot of its GPU model's pool per GPU, and lands each run as soon as it is measured. Models that are
   canaries come before all others.
6. `announce`: starts `refresh_leaderboard`, also when a sweep failed before its end.
7. `confirm`: starts `confirm_changes` on all that has landed: changes of energy that are candidates now are
   measured again, both releases in turns on the same GPUs, within its GPU-hours per week.
8. `verdict`: fails the run if a sweep failed or a person rejected the plan.

The last line of a failed sweep's log is its error. A configuration that does not fit the GPU is recorded as
infeasible and not tried again; after a busy GPU the task is tried again. To resume, **clear** the failed
tasks: runs that are landed are not measured again. Clear `plan` with its downstream tasks to plan again what
is missing.

The limit is the form's, or else the Airflow variable `jouleboard_ask_above_gpu_hours`, or else 48.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Param, TriggerRule, dag, task

from jouleboard_airflow.dag_parts import forms, measuring
from jouleboard_airflow.failures import RETRIES, one_line_errors
from jouleboard_airflow.lanes import canary_lanes
from jouleboard_airflow.tasks import canaries, confirming, estimating, planning
from jouleboard_airflow.tasks.approval import (
    ANSWER,
    ASK_FIRST_TASK,
    ASK_TASK,
    ASKS_AGAIN,
    HOURS,
    WHY,
    AskApproval,
    hours_to_answer,
)
from jouleboard_airflow.tasks.choices import TITLES

CATALOG, NOTICE = forms.installed_catalog()
HERE = forms.Here.known(CATALOG)

BUILDS: dict[str, Any] = {"execution_timeout": timedelta(minutes=30), **RETRIES}
"""Arguments of a task that builds a mart to read it."""


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
        canaries.SCOPE: forms.choice(
            canaries.SCOPE,
            {
                canaries.BY_CANARIES: "What canaries say",
                canaries.EVERYTHING: "Everything, without canaries",
            },
            "Whether canaries decide how much is measured now.",
        ),
        canaries.MARGIN: forms.number(
            canaries.MARGIN,
            "Largest change of energy that counts as none, as a share. Empty: the catalog's.",
            exclusiveMinimum=0,
            exclusiveMaximum=1,
        ),
        canaries.SHARE: forms.number(
            canaries.SHARE,
            "GPU time of canaries, at most, as a share of all sweeps'. Empty: the catalog's.",
            exclusiveMinimum=0,
            exclusiveMaximum=1,
        ),
        "note": forms.note(),
        estimating.THRESHOLD: forms.number(
            estimating.THRESHOLD,
            "Above it a person is asked. Empty: the Airflow variable, or else 48.",
            minimum=0,
        ),
        "approve": forms.text("approve", "Reason to measure without a question."),
        HOURS: hours_to_answer(),
    },
)
def benchmark_release() -> None:
    @task(**measuring.PLANS)
    def plan_canaries(params: dict[str, Any], run_id: str, ti: Any) -> dict[str, Any]:
        """Plan the canaries, in turns with earlier releases."""
        with one_line_errors(ti):
            return canaries.plan_canaries(params, run_id)

    @task(trigger_rule=TriggerRule.ALL_DONE, **BUILDS)
    def plan_canaries_again(
        first: dict[str, Any] | None, params: dict[str, Any], run_id: str, ti: Any
    ) -> dict[str, Any]:
        """Plan the canaries that may have changed once more."""
        with one_line_errors(ti):
            return canaries.plan_canaries_again(first, params, run_id)

    @task(trigger_rule=TriggerRule.ALL_DONE, **BUILDS)
    def decide(
        first: dict[str, Any] | None, again: dict[str, Any] | None, params: dict[str, Any], ti: Any
    ) -> list[dict[str, Any]]:
        """What may wait, from the canaries."""
        with one_line_errors(ti):
            return canaries.decide(first, again, params)

    @task(**measuring.PLANS)
    def plan(
        decisions: list[dict[str, Any]], params: dict[str, Any], run_id: str, ti: Any
    ) -> list[dict[str, Any]]:
        """Plan the sweeps that are missing and do not wait."""
        with one_line_errors(ti):
            return planning.plan_release(params, run_id, decisions)

    @task(**measuring.PLANS)
    def estimate(planned: list[dict[str, Any]], params: dict[str, Any], ti: Any) -> dict[str, Any]:
        """What the plan will cost; with a question if that is above the limit or unknown."""
        with one_line_errors(ti):
            answer = ti.xcom_pull(task_ids=ASK_FIRST_TASK, key=ANSWER) or {}
            first = ti.xcom_pull(task_ids="plan_canaries")
            return estimating.estimate_and_ask(planned, params, first, approved=answer.get("approved", False))

    decisions: Any = []
    if canary_lanes():
        first = plan_canaries()
        ask_first = AskApproval(task_id=ASK_FIRST_TASK, asking=first, params=WHY, **ASKS_AGAIN)
        again = plan_canaries_again(first)
        decisions = decide(first, again)
        ask_first >> [again, decisions]  # what a rejection skips
        measuring.compare_canaries.override(group_id="canaries")(first, again=False, ask=ask_first) >> again
        measuring.compare_canaries.override(group_id="canaries_again")(again, again=True) >> decisions
    planned = plan(decisions)
    ask = AskApproval(task_id=ASK_TASK, asking=estimate(planned), params=WHY, **ASKS_AGAIN)
    measuring_all, announced = measuring.measure(planned), measuring.announce()
    confirm = TriggerDagRunOperator(
        task_id="confirm",
        trigger_dag_id="confirm_changes",
        conf={confirming.BASIS: confirming.LANDED},
        logical_date=None,
    )
    ask >> measuring_all >> announced >> [confirm, measuring.verdict()]


benchmark_release()
