"""What the pages in Airflow's UI show: the current publication, the gate's last word, sweeps under way.

Reads Airflow's database and the publication's manifest, in the API server only, and writes nothing.
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
from sqlalchemy import select

from benchmark_tasks.errors import PublicationError
from benchmark_tasks.settings import Settings
from expectations import publications

MEASURING_DAGS = ("benchmark_release", "benchmark_on_demand", "recheck")
MEASURES = "measure%"
RUNS_SHOWN = 10
SWEEPS_SHOWN = 200
_UNDER_WAY = ("running", "queued", "scheduled", "up_for_retry")


@dataclass(frozen=True)
class Sweep:
    """One measuring task instance. `error`: its error line, if it failed."""

    dag_id: str
    run_id: str
    title: str
    state: str
    started_at: datetime | None
    ended_at: datetime | None
    error: str | None = None


@dataclass(frozen=True)
class Run:
    """One run of a measuring DAG, with what its `estimate` and `verdict` said."""

    run_id: str
    state: str
    queued_at: datetime | None
    estimate: str | None
    verdict: str | None
    sweeps: tuple[Sweep, ...]


def status(settings: Settings, dag_ids: Collection[str]) -> dict[str, Any]:
    """What the widget shows, as JSON. dag_ids: DAGs whose runs the reader may see."""
    return {
        "publication": _publication(settings),
        "gate": _last_word(settings),
        "sweeps": [
            asdict(sweep) | {"started_at": _text(sweep.started_at), "ended_at": None}
            for sweep in under_way(dag_ids)
        ],
    }


def under_way(dag_ids: Collection[str]) -> tuple[Sweep, ...]:
    """Sweeps that are measured now, then those that wait, of these DAGs."""
    query = (
        select(TaskInstance)
        .where(TaskInstance.dag_id.in_(sorted(set(dag_ids) & set(MEASURING_DAGS))))
        .where(TaskInstance.task_id.like(MEASURES), TaskInstance.map_index >= 0)
        .where(TaskInstance.state.in_(_UNDER_WAY))
        .order_by(TaskInstance.state != "running", TaskInstance.queued_dttm, TaskInstance.map_index)
        .limit(SWEEPS_SHOWN)
    )
    with create_session() as session:
        return tuple(_sweep(instance) for instance in session.scalars(query))


def recent_runs(dag_id: str) -> tuple[Run, ...]:
    """The latest runs of a measuring DAG, newest first; none of another DAG."""
    if dag_id not in MEASURING_DAGS:
        return ()
    with create_session() as session:
        query = select(DagRun).where(DagRun.dag_id == dag_id).order_by(DagRun.id.desc()).limit(RUNS_SHOWN)
        runs = list(session.scalars(query))
        run_ids = [run.run_id for run in runs]
        words = _words(session, dag_id, run_ids)
        instances = session.scalars(
            select(TaskInstance)
            .where(TaskInstance.dag_id == dag_id, TaskInstance.run_id.in_(run_ids))
            .where(TaskInstance.task_id.like(MEASURES), TaskInstance.map_index >= 0)
            .order_by(TaskInstance.task_id, TaskInstance.map_index)
        )
        sweeps: dict[str, list[Sweep]] = {}
        for one in instances:
            error = words.get((one.run_id, one.task_id, one.map_index, "error"))
            sweeps.setdefault(one.run_id, []).append(_sweep(one, error if one.state == "failed" else None))
        return tuple(
            Run(
                run_id=run.run_id,
                state=str(run.state),
                queued_at=run.queued_at,
                estimate=(words.get((run.run_id, "estimate", -1, "return_value")) or {}).get("summary"),
                verdict=words.get((run.run_id, "verdict", -1, "return_value"))
                or words.get((run.run_id, "verdict", -1, "error")),
                sweeps=tuple(sweeps.get(run.run_id, ())),
            )
            for run in runs
        )


def _words(session: Any, dag_id: str, run_ids: list[str]) -> dict[tuple[str, str, int, str], Any]:
    """What the tasks said: by run, task, map index and key."""
    query = (
        select(XComModel.run_id, XComModel.task_id, XComModel.map_index, XComModel.key, XComModel.value)
        .where(XComModel.dag_id == dag_id, XComModel.run_id.in_(run_ids))
        .where(
            XComModel.task_id.in_(("estimate", "verdict")) & XComModel.key.in_(("return_value", "error"))
            | XComModel.task_id.like(MEASURES) & (XComModel.key == "error")
        )
    )
    return {tuple(row[:4]): XComModel.deserialize_value(row) for row in session.execute(query)}


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


def _last_word(settings: Settings) -> dict[str, Any] | None:
    """The last thing that happened to publications: published, refused, rejected, rolled back."""
    events = publications.events(settings)
    if not events:
        return None
    last = events[-1]
    text = last.get("what") or last.get("why")
    return {name: last.get(name) for name in ("event", "at", "number", "by")} | {"text": text}


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
