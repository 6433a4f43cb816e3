"""The wiring that the measuring DAGs share: from planned sweeps to the announcement of new runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import TriggerRule, task, task_group

from jouleboard_airflow import links
from jouleboard_airflow.dag_parts.assets import RAW_RUNS
from jouleboard_airflow.dag_parts.deadlines import deadline
from jouleboard_airflow.failures import RETRIES, one_line_errors
from jouleboard_airflow.lanes import Lane, all_lanes, canary_lanes
from jouleboard_airflow.operators import MeasureSweepOperator
from jouleboard_airflow.tasks import estimating, judging, planning

PLANS: dict[str, Any] = {"execution_timeout": timedelta(minutes=10), **RETRIES}
"""Arguments of a task that plans: it asks the package index and reads every landed run."""

OWNER = "jouleboard"
OWNER_LINKS = {OWNER: links.board()}


def dag_defaults(*tags: str) -> dict[str, Any]:
    """Arguments that every measuring DAG has."""
    return {
        # Pools limit the measurements; a run that waits for an answer must not delay other runs.
        "max_active_runs": 16,
        "default_args": {"owner": OWNER},
        "owner_links": OWNER_LINKS,
        "deadline": deadline(),
        "tags": [OWNER, "measurement", *tags],
    }


@task(**PLANS)
def estimate(planned: list[dict[str, Any]]) -> dict[str, Any]:
    """What the plan will cost, as far as its configurations were measured before."""
    with one_line_errors():
        return estimating.estimate(planned)


@task(trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS)
def choose(planned: list[dict[str, Any]], lane: str) -> list[dict[str, Any]]:
    """The sweeps of one lane."""
    return planning.sweeps_for(planned, lane)


@task(trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS)
def choose_canaries(round_: dict[str, Any], lane: str) -> list[dict[str, Any]]:
    """The canaries of one lane."""
    return planning.sweeps_for(round_["planned"], lane)


@task_group(prefix_group_id=False)
def measure(planned: Any) -> None:
    """One mapped task per lane, with one instance per sweep; its name says what it measures."""
    for lane in all_lanes():
        _measuring(lane, lane.task_id).expand_kwargs(
            choose.override(task_id=lane.choose_id)(planned, lane.task_id)
        )


@task_group(prefix_group_id=False)
def compare_canaries(round_: Any, again: bool, ask: Any = None) -> None:
    """The same for canaries, each in turns with earlier releases on one GPU: one task per GPU model.

    ask: the task that asks a person before; a rejection skips the tasks that choose.
    """
    for lane in canary_lanes():
        chosen = choose_canaries.override(task_id=lane.choose_canaries_id(again))(round_, lane.task_id)
        if ask is not None:
            ask >> chosen
        _measuring(lane, lane.compare_id(again)).expand_kwargs(chosen)


def _measuring(lane: Lane, task_id: str) -> Any:
    return MeasureSweepOperator.partial(
        task_id=task_id,
        map_index_template="{{ task.title }}",
        pool=lane.pool,
        pool_slots=lane.pool_slots,
        queue=lane.queue,
        executor=lane.executor,
        priority_weight=lane.priority_weight,
        weight_rule="absolute",
        execution_timeout=timedelta(hours=12),
        **RETRIES,
    )


@task(outlets=[RAW_RUNS], trigger_rule=TriggerRule.ALL_DONE)
def announce(ti: Any) -> None:
    """One asset event per run, also when sweeps failed: a failed run is landed, too."""
    judging.require_measured(ti)


@task(trigger_rule=TriggerRule.ALL_DONE)
def verdict(ti: Any) -> str:
    """The last task: fails if any sweep failed, and so decides the state of the run."""
    return judging.give_verdict(ti)
