"""
### Confirm changes

Measures again what a release seems to have changed. A change of energy in the mart `release_history` is a
**candidate** until both releases were measured in turns on the same GPUs: old, new, new, old. These runs
alone make it *confirmed* or *not confirmed*, at the next refresh; both are kept.

1. `plan`: the candidates that were not rerun yet, of the current publication or of all landed runs (*From*),
   the largest change first, as far as each fits whole into the GPU-hours that are left of the last seven days
   on its GPU model. Its log says what is left out, and why. Without candidates, or without a GPU, all later
   tasks are skipped. What was rerun once is not tried again by itself.
2. `estimate`, `measure`, `announce`, `verdict`: as in `benchmark_release`, one task per candidate. Nobody is
   asked.

It runs after each new publication, and after the measurements of `benchmark_release` (task `confirm`), before
they are published; *Trigger* starts it by hand. One run at a time. Loads at a request rate are not compared
between releases, so none of them is a candidate. `tell` sends what reruns or persons said in the publications
that started the run to everybody whom notifications reach.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, task

from jouleboard_airflow.dag_parts import forms, measuring
from jouleboard_airflow.dag_parts.assets import LEADERBOARD
from jouleboard_airflow.failures import one_line_errors
from jouleboard_airflow.tasks import confirming
from jouleboard_airflow.tasks.choices import TITLES

CATALOG, NOTICE = forms.installed_catalog()
HERE = forms.Here.known(CATALOG)

BUILDS: dict[str, Any] = {**measuring.PLANS, "execution_timeout": timedelta(minutes=30)}
"""Arguments of a task that may build a mart to read it."""


@dag(
    schedule=LEADERBOARD,
    catchup=False,
    doc_md=__doc__ + NOTICE,
    **(measuring.dag_defaults("release") | {"max_active_runs": 1}),
    params={
        confirming.BUDGET: Param(
            confirming.DEFAULT_BUDGET_GPU_HOURS,
            type="number",
            minimum=0,
            title=TITLES[confirming.BUDGET],
            description="On each GPU model, in seven days. 0: nothing is measured.",
        ),
        confirming.BASIS: forms.choice(
            confirming.BASIS,
            {
                confirming.PUBLISHED: "The current publication",
                confirming.LANDED: "Everything that has landed (builds their history first)",
            },
            "Which changes are looked at.",
        ),
        "gpu_model": forms.gpu_model(HERE),
        "note": forms.note(),
    },
)
def confirm_changes() -> None:
    @task(**BUILDS)
    def plan(params: dict[str, Any], run_id: str, ti: Any) -> list[dict[str, Any]]:
        """Plan the reruns of changes that are candidates."""
        with one_line_errors(ti):
            return confirming.plan_confirmations(params, run_id)

    @task(**measuring.PLANS)
    def tell(ti: Any, triggering_asset_events: Any) -> str:
        """Tell which changes reruns confirmed, and which not."""
        with one_line_errors(ti):
            return confirming.tell(len(triggering_asset_events[LEADERBOARD]))

    tell()
    planned = plan()
    measuring.estimate(planned)
    measuring.measure(planned) >> measuring.announce() >> measuring.verdict()


confirm_changes()
