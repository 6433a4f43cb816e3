"""What the measuring DAGs' tasks do afterwards: announce, compare, give a verdict.

Imported by DAG files, so everything heavy is imported inside the functions.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from benchmark_tasks.settings import Settings
from jouleboard_airflow.failures import ERROR_PREFIX, StepFailed
from jouleboard_airflow.lanes import all_lanes
from jouleboard_airflow.tasks import planning
from jouleboard_airflow.tasks.approval import ANSWER, ASK_TASK

if TYPE_CHECKING:
    from airflow.sdk.types import RuntimeTaskInstanceProtocol as RuntimeTaskInstance

log = logging.getLogger("airflow.task")


def require_measured(ti: RuntimeTaskInstance) -> None:
    """Skip the calling task unless something was measured, even if it then failed."""
    if not {"success", "failed"} & set(_measuring_states(ti).values()):
        raise AirflowSkipException("nothing was measured, nothing to announce")


def give_verdict(ti: RuntimeTaskInstance) -> str:
    """One line on the whole run.

    Raises:
        StepFailed: planning or a sweep failed, or a person declined; the line names the errors.
        AirflowSkipException: nothing was to be measured.
    """
    states = list(_measuring_states(ti).values())
    measured, failed = states.count("success"), states.count("failed")
    if failed:
        said = ti.xcom_pull(task_ids=[lane.task_id for lane in all_lanes()], key="error")
        errors = [error for error in said if error] or ["see their logs"]
        line = f"{failed} of {measured + failed} sweeps failed: {'; '.join(errors)}"
    elif "upstream_failed" in states:
        line = "the sweeps could not be planned: see the log of the first task that failed"
    elif measured:
        return f"all {measured} sweeps measured and landed"
    elif not (declined := _declined(ti)):
        raise AirflowSkipException("nothing to measure")
    else:
        line = f"not measured: {declined}"
    raise _failed(ti, line)


def compare_with_published(sweeps: list[dict[str, Any]], run_id: str) -> list[dict[str, Any]]:
    """Each published figure beside what was measured again, one line each in the log."""
    from benchmark_tasks.plan.sweep import Sweep
    from expectations.history import recheck

    settings = Settings.from_environment()
    wanted = [Sweep.model_validate(entry["sweep"]) for entry in sweeps]
    ids = {sweep.configuration(point).configuration_id for sweep in wanted for point in sweep.points}
    figures = [figure for figure in recheck.published_figures(settings) if figure.configuration_id in ids]
    campaign = planning.recheck_campaign(run_id)
    again = [run for run, _ in planning.listing(settings).runs if run.sweep_id == campaign]
    comparisons = recheck.compare(figures, again)
    for comparison in comparisons:
        log.info("%s", comparison)
    return [{"line": str(one), "verdict": one.verdict.value} for one in comparisons]


def give_recheck_verdict(ti: RuntimeTaskInstance, comparisons: list[dict[str, Any]] | None) -> str:
    """One line on the whole recheck.

    Raises:
        StepFailed: a sweep failed, or a published figure differs; the line names them.
        AirflowSkipException: nothing was to be measured.
    """
    from expectations.history.recheck import Verdict

    measured = give_verdict(ti)
    found = comparisons or []
    differing = [one["line"] for one in found if one["verdict"] == Verdict.DIFFERS]
    if differing:
        line = f"{len(differing)} of {len(found)} published figures differ: {'; '.join(differing)}"
        raise _failed(ti, line)
    counts = {verdict: sum(one["verdict"] == verdict for one in found) for verdict in Verdict}
    said = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    return f"{measured}; of {len(found)} published figures: {said or 'none compared'}"


def _failed(ti: RuntimeTaskInstance, line: str) -> StepFailed:
    """The error; its line is kept for the tab in the UI."""
    ti.xcom_push(key="error", value=line)
    log.error("%s%s", ERROR_PREFIX, line)
    return StepFailed(line)


def _measuring_states(ti: RuntimeTaskInstance) -> dict[str, str]:
    """State of each measuring task of this run; mapped ones as `<task>_<index>`."""
    task_ids = [lane.task_id for lane in all_lanes()]
    answer = ti.get_task_states(dag_id=ti.dag_id, task_ids=task_ids, run_ids=[ti.run_id])
    return answer.get(ti.run_id, {})


def _declined(ti: RuntimeTaskInstance) -> str | None:
    """Who did not want it measured, and why; None when nobody was asked, or it was approved."""
    answer = ti.xcom_pull(task_ids=ASK_TASK, key=ANSWER)
    if not answer or answer["approved"]:
        return None
    if not answer["who"]:
        return "nobody answered in time"
    return f"rejected by {answer['who']}" + (f" ({answer['why']})" if answer["why"] else "")
