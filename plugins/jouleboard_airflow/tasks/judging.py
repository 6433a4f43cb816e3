"""What the measuring DAGs' tasks do after measuring: announce, compare, give a verdict.

Imported by DAG files, so everything heavy is imported inside the functions.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from benchmark_tasks.errors import ERROR_PREFIX
from benchmark_tasks.settings import Settings
from jouleboard_airflow.failures import ERROR_KEY, StepFailed
from jouleboard_airflow.lanes import measuring_task_ids
from jouleboard_airflow.tasks import planning
from jouleboard_airflow.tasks.approval import ANSWER, ASK_FIRST_TASK, ASK_TASK

if TYPE_CHECKING:
    from airflow.sdk.types import RuntimeTaskInstanceProtocol as RuntimeTaskInstance

log = logging.getLogger("airflow.task")

_PLANNING = ("plan_canaries", "plan_canaries_again", "decide", "plan", "estimate")


def require_measured(ti: RuntimeTaskInstance) -> None:
    """Skip the calling task unless a sweep was measured, also with a failure.

    Raises:
        AirflowSkipException: no sweep was measured.
    """
    if not {"success", "failed"} & set(_measuring_states(ti).values()):
        raise AirflowSkipException("no sweep was measured: there is nothing to announce")


def give_verdict(ti: RuntimeTaskInstance) -> str:
    """The result of the whole run in one line.

    Raises:
        StepFailed: planning or a sweep failed, or a person rejected the plan; the line names the errors.
        AirflowSkipException: there was nothing to measure.
    """
    states = list(_measuring_states(ti).values())
    measured, failed = states.count("success"), states.count("failed")
    if failed:
        pulled = ti.xcom_pull(task_ids=measuring_task_ids(), key=ERROR_KEY)
        errors = [error for error in pulled if error] or ["see their logs"]
        line = f"{failed} of {_count(measured + failed)} failed: {'; '.join(errors)}"
    elif "upstream_failed" in states:
        line = _planning_error(ti) or "the sweeps could not be planned: see the log of the first failed task"
    elif rejection := _rejection(ti):
        what = f"{_count(measured)} measured, the rest not" if measured else "not measured"
        line = f"{what}: {rejection}"
    elif measured:
        return f"{_count(measured)} measured and landed"
    else:
        raise AirflowSkipException("nothing to measure")
    raise _failed(ti, line)


def compare_with_published(sweeps: list[dict[str, Any]], run_id: str) -> list[dict[str, Any]]:
    """Each published figure beside its new runs, with one line each in the log."""
    from benchmark_tasks.plan import Sweep, recheck_campaign
    from expectations.history import recheck

    settings = Settings.from_environment()
    wanted = [Sweep.model_validate(entry["sweep"]) for entry in sweeps]
    ids = {sweep.configuration(point).configuration_id for sweep in wanted for point in sweep.points}
    figures = [figure for figure in recheck.published_figures(settings) if figure.configuration_id in ids]
    campaign = recheck_campaign(run_id)
    again = [run for run, _ in planning.listing(settings).runs if run.campaign_id == campaign]
    comparisons = recheck.compare(figures, again)
    for comparison in comparisons:
        log.info("%s", comparison)
    return [{"line": str(comparison), "verdict": comparison.verdict.value} for comparison in comparisons]


def give_recheck_verdict(ti: RuntimeTaskInstance, comparisons: list[dict[str, Any]] | None) -> str:
    """The result of the whole recheck in one line.

    Raises:
        StepFailed: a sweep failed, or a published figure differs; the line names them.
        AirflowSkipException: there was nothing to measure.
    """
    from expectations.history.recheck import Verdict

    measured = give_verdict(ti)
    comparisons = comparisons or []
    differing = [comparison["line"] for comparison in comparisons if comparison["verdict"] == Verdict.DIFFERS]
    if differing:
        line = f"{len(differing)} of {len(comparisons)} published figures differ: {'; '.join(differing)}"
        raise _failed(ti, line)
    counts = Counter(comparison["verdict"] for comparison in comparisons)
    summary = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
    return f"{measured}; of {len(comparisons)} published figures: {summary or 'none compared'}"


def _failed(ti: RuntimeTaskInstance, line: str) -> StepFailed:
    """The error to raise; its line is pushed to XCom for the tab in the UI."""
    ti.xcom_push(key=ERROR_KEY, value=line)
    log.error("%s%s", ERROR_PREFIX, line)
    return StepFailed(line)


def _measuring_states(ti: RuntimeTaskInstance) -> dict[str, str]:
    """State of each measuring task of this run, by `<task>_<index>` if it is mapped."""
    answer = ti.get_task_states(dag_id=ti.dag_id, task_ids=measuring_task_ids(), run_ids=[ti.run_id])
    return dict(answer.get(ti.run_id, {}))


def _rejection(ti: RuntimeTaskInstance) -> str | None:
    """Who rejected the plan, and why; None if nobody was asked, or it was approved."""
    answers = ti.xcom_pull(task_ids=[ASK_FIRST_TASK, ASK_TASK], key=ANSWER)
    answer = next((each for each in answers or () if each and not each["approved"]), None)
    if answer is None:
        return None
    if not answer["who"]:
        return "nobody answered in time"
    return f"rejected by {answer['who']}" + (f" ({answer['why']})" if answer["why"] else "")


def _planning_error(ti: RuntimeTaskInstance) -> str | None:
    """Why nothing was planned, from the task that says so."""
    errors = ti.xcom_pull(task_ids=list(_PLANNING), key=ERROR_KEY)
    return next((str(error) for error in errors or () if error), None)


def _count(sweeps: int) -> str:
    return "1 sweep" if sweeps == 1 else f"{sweeps} sweeps"
