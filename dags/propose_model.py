"""
### Propose a model

Proposes to measure a new model of the hub, and asks a person. `watch_releases` starts it for each new model.
If the form names no model, it proposes the first new model that the watch finds; if there is none, the run is
skipped.

1. `propose`: reads the model's description, `config.json` and the headers of its weights, and writes a
   proposal. Each fact names its source; a fact that is not known stays empty.
2. `ask_a_person`: shows all facts under *Required Actions* and waits for an answer. It is skipped if the
   policy (`watch.yaml` of the catalog) asks nobody, or if a fact is missing that only a person can give
   (`jouleboard proposals accept ... --set NAME=VALUE`).
3. `accept`: after *Approve*, adds the model to this installation's catalog.
4. `start_benchmark`: starts one `benchmark_release` run of the newest release, for this model at this
   revision.
5. `settle`: stores a *Reject*. Without an answer the model stays proposed.

Each model gets one such run and one question. The run of a gated model fails: accept the model's terms on
the hub, set `HF_TOKEN`, and clear the run.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Param, TriggerRule, dag, task

from jouleboard_airflow.dag_parts import forms
from jouleboard_airflow.dag_parts.deadlines import deadline
from jouleboard_airflow.failures import RETRIES, one_line_errors
from jouleboard_airflow.tasks import models
from jouleboard_airflow.tasks.approval import ANSWER, ASK_TASK, ASKS_AGAIN, HOURS, WHY, AskApproval
from jouleboard_airflow.tasks.choices import TITLES

HERE = forms.Here.known(forms.installed_catalog()[0])


@dag(
    schedule=None,
    max_active_runs=64,
    deadline=deadline(hours=1),
    default_args={"owner": "jouleboard"},
    tags=["jouleboard", "releases", "models"],
    doc_md=__doc__,
    params={
        "model_id": Param(
            None,
            type=["null", "string"],
            pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9][A-Za-z0-9_.-]*$",
            maxLength=96,
            title=TITLES["model_id"],
            description="Its id on the hub: organisation/name. Empty: the first new model of the watch.",
        ),
        "gpu_model": forms.gpu_model(HERE),
        HOURS: Param(
            24 * 7,
            type="number",
            exclusiveMinimum=0,
            maximum=24 * 90,
            title=TITLES[HOURS],
            description="How long the question stays open. Without an answer the model stays proposed.",
        ),
    },
)
def propose_model() -> None:
    @task(execution_timeout=timedelta(minutes=15), **RETRIES)
    def propose(params: dict[str, Any], ti: Any) -> dict[str, Any]:
        """Ask the hub, and write the proposal."""
        with one_line_errors(ti):
            return models.propose(params)

    @task(trigger_rule=TriggerRule.NONE_FAILED)
    def accept(proposed: dict[str, Any] | None, params: dict[str, Any], ti: Any) -> list[dict[str, Any]]:
        """Add the model to the catalog; returns the arguments of the trigger of its benchmark."""
        with one_line_errors(ti):
            return models.accept(proposed, ti.xcom_pull(task_ids=ASK_TASK, key=ANSWER), params["gpu_model"])

    @task(trigger_rule=TriggerRule.NONE_FAILED)
    def settle(proposed: dict[str, Any] | None, ti: Any) -> str:
        """Store a rejection; returns the decision in one line."""
        with one_line_errors(ti):
            return models.settle(proposed, ti.xcom_pull(task_ids=ASK_TASK, key=ANSWER))

    proposed = propose()
    accepted = accept(proposed)
    ask = AskApproval(task_id=ASK_TASK, asking=proposed, params=WHY, **ASKS_AGAIN)
    start = TriggerDagRunOperator.partial(
        task_id="start_benchmark",
        trigger_dag_id="benchmark_release",
        logical_date=None,
        skip_when_already_exists=True,
        map_index_template="{{ task.trigger_run_id }}",
    ).expand_kwargs(accepted)
    ask >> accepted
    start >> settle(proposed)


propose_model()
