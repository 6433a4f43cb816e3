"""What the pages in Airflow's UI show: the current publication, the gate's last decision, and sweeps.

Reads Airflow's database and the publication's manifest. Only the API server calls it; it writes nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from benchmark_tasks.errors import PublicationError
from benchmark_tasks.settings import Settings
from expectations import publications

MEASURING_DAGS = ("benchmark_release", "benchmark_on_demand", "recheck")
MEASURING_TASKS = "measure%"
"""SQL pattern of the ids of measuring tasks (`Lane.task_id`)."""
RUNS_SHOWN = 10
SWEEPS_SHOWN = 200
_IN_PROGRESS = ("running", "queued", "scheduled", "up_for_retry")

TaskResults = dict[tuple[str, str, int, str], Any]
"""XCom values by run id, task id, map index and key."""


@dataclass(frozen=True)
class Sweep:
    """One instance of a measuring task. `error`: its error line, if it failed."""

    dag_id: str
    run_id: str
    title: str
    state: str
    started_at: datetime | None
    ended_at: datetime | None
    error: str | None = None


@dataclass(frozen=True)
class Run:
    """One run of a measuring DAG, with the results of its tasks `estimate` and `verdict`."""

    run_id: str
    state: str
    queued_at: datetime | None
    estimate: str | None
    verdict: str | None
    sweeps: tuple[Sweep, ...]


def status(settings: Settings, dag_ids: Collection[str]) -> dict[str, Any]:
    """What the widget shows, as JSON. `dag_ids`: DAGs whose runs the reader may see."""
    return {
        "publication": _publication(settings),
        "gate": _last_decision(settings),
        "sweeps": [
            asdict(sweep) | {"started_at": _as_text(sweep.started_at), "ended_at": None}
            for sweep in sweeps_in_progress(dag_ids)
        ],
    }


def sweeps_in_progress(dag_ids: Collection[str]) -> tuple[Sweep, ...]:
    """Sweeps of these DAGs that are measured now, then those that wait."""
    query = (
        _measuring_instances()
        .where(TaskInstance.dag_id.in_(sorted(set(dag_ids) & set(MEASURING_DAGS))))
        .where(TaskInstance.state.in_(_IN_PROGRESS))
        .order_by(TaskInstance.state != "running", TaskInstance.queued_dttm, TaskInstance.map_index)
        .limit(SWEEPS_SHOWN)
    )
    with create_session() as session:
        return tuple(_sweep(instance) for instance in session.scalars(query))


def recent_runs(dag_id: str) -> tuple[Run, ...]:
    """The latest runs of a measuring DAG, newest first; none of another DAG."""
    if dag_id not in MEASURING_DAGS:
        return ()
    query = select(DagRun).where(DagRun.dag_id == dag_id).order_by(DagRun.id.desc()).limit(RUNS_SHOWN)
    with create_session() as session:
        runs = list(session.scalars(query))
        run_ids = [run.run_id for run in runs]
        results = _task_results(session, dag_id, run_ids)
        sweeps = _sweeps_by_run(session, dag_id, run_ids, results)
        return tuple(_run(run, results, sweeps.get(run.run_id, [])) for run in runs)


def _measuring_instances() -> Select[TaskInstance]:
    return select(TaskInstance).where(TaskInstance.task_id.like(MEASURING_TASKS), TaskInstance.map_index >= 0)


def _sweeps_by_run(
    session: Session, dag_id: str, run_ids: list[str], results: TaskResults
) -> dict[str, list[Sweep]]:
    query = (
        _measuring_instances()
        .where(TaskInstance.dag_id == dag_id, TaskInstance.run_id.in_(run_ids))
        .order_by(TaskInstance.task_id, TaskInstance.map_index)
    )
    sweeps: dict[str, list[Sweep]] = {}
    for instance in session.scalars(query):
        error = results.get((instance.run_id, instance.task_id, instance.map_index, "error"))
        sweep = _sweep(instance, error if instance.state == "failed" else None)
        sweeps.setdefault(instance.run_id, []).append(sweep)
    return sweeps


def _task_results(session: Session, dag_id: str, run_ids: list[str]) -> TaskResults:
    """Estimates, verdicts and error lines of these runs."""
    query = (
        select(XComModel.run_id, XComModel.task_id, XComModel.map_index, XComModel.key, XComModel.value)
        .where(XComModel.dag_id == dag_id, XComModel.run_id.in_(run_ids))
        .where(
            XComModel.task_id.in_(("estimate", "verdict")) & XComModel.key.in_(("return_value", "error"))
            | XComModel.task_id.like(MEASURING_TASKS) & (XComModel.key == "error")
        )
    )
    return {
        (row.run_id, row.task_id, row.map_index, row.key): XComModel.deserialize_value(row)
        for row in session.execute(query)
    }


def _run(run: DagRun, results: TaskResults, sweeps: list[Sweep]) -> Run:
    estimate = results.get((run.run_id, "estimate", -1, "return_value")) or {}
    verdict = results.get((run.run_id, "verdict", -1, "return_value"))
    return Run(
        run_id=run.run_id,
        state=str(run.state),
        queued_at=run.queued_at,
        estimate=estimate.get("summary"),
        verdict=verdict or results.get((run.run_id, "verdict", -1, "error")),
        sweeps=tuple(sweeps),
    )


def _sweep(instance: TaskInstance, error: str | None = None) -> Sweep:
    return Sweep(
        dag_id=instance.dag_id,
        run_id=instance.run_id,
        title=instance.rendered_map_index or f"{instance.task_id} [{instance.map_index}]",
        state=str(instance.state or "waiting"),
        started_at=instance.start_date,
        ended_at=instance.end_date,
        error=error,
    )


def _publication(settings: Settings) -> dict[str, Any] | None:
    """Number, time, size and verdict of the current publication; None before the first one."""
    try:
        current = publications.current(settings)
    except PublicationError as error:
        return {"problem": str(error)}
    if current is None:
        return None
    summary = current.manifest["summary"]
    return {
        "number": current.number,
        "published_at": summary["published_at"],
        "rows": current.rows.get("leaderboard"),
        "gate_verdict": summary["gate_verdict"],
    }


def _last_decision(settings: Settings) -> dict[str, Any] | None:
    """The latest publication event: published, refused, rejected or rolled back; None before the first."""
    events = publications.events(settings)
    if not events:
        return None
    last = events[-1]
    text = last.get("what") or last.get("why")
    return {name: last.get(name) for name in ("event", "at", "number", "by")} | {"text": text}


def _as_text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
