"""What the pages in Airflow's UI show: the current publication, the gate's last decision, and sweeps.

Reads Airflow's database and the publication's manifest. Only the API server calls it; it writes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
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
from benchmark_tasks.vocabulary import RECHECK_CAMPAIGN
from expectations import publications
from jouleboard_airflow import links
from jouleboard_airflow.failures import ERROR_KEY
from jouleboard_airflow.tasks.planning import MEASURES
from jouleboard_airflow.ui.published_rows import PublishedRow, published_rows

MEASURING_DAGS = ("benchmark_release", "benchmark_on_demand", "recheck", "rotation", "confirm_changes")
MEASURING_TASKS = "measure%"
"""SQL pattern of the ids of measuring tasks (`Lane.task_id`)."""
RUNS_SHOWN = 10
SWEEPS_SHOWN = 200
_TOLD = ("plan", "estimate", "verdict")
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
class Row:
    """A row of the leaderboard that a run measures. link: to the row on the board.

    published: its figures in the current publication; None if it is not there yet.
    """

    model_id: str
    batch_size: int
    configuration_id: str
    link: str
    published: PublishedRow | None


@dataclass(frozen=True)
class Run:
    """One run of a measuring DAG, with the results of its tasks `estimate` and `verdict`, and its rows."""

    run_id: str
    state: str
    queued_at: datetime | None
    estimate: str | None
    verdict: str | None
    sweeps: tuple[Sweep, ...]
    rows: tuple[Row, ...] = ()


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


def runs_of_sweeps(sweeps: Collection[str], dag_ids: Collection[str]) -> dict[str, str]:
    """`<dag_id>/<run_id>` of each sweep that a run of these DAGs measured; a sweep is named after its run."""
    by_run = {sweep.removeprefix(RECHECK_CAMPAIGN): sweep for sweep in sweeps}
    query = select(DagRun.dag_id, DagRun.run_id).where(
        DagRun.dag_id.in_(sorted(set(dag_ids) & set(MEASURING_DAGS))), DagRun.run_id.in_(sorted(by_run))
    )
    with create_session() as session:
        return {by_run[run_id]: f"{dag_id}/{run_id}" for dag_id, run_id in session.execute(query)}


def measurements(settings: Settings, dag_id: str, run_id: str | None = None) -> dict[str, Any]:
    """What the tab of a DAG, or of one run, shows, as JSON. `measures`: whether the DAG measures at all."""
    runs = recent_runs(settings, dag_id, run_id)
    return {
        "measures": dag_id in MEASURING_DAGS,
        "measuring_dags": MEASURING_DAGS,
        "publication": _publication(settings),
        "has_figure": bool(published(runs)),
        "runs": [_as_json(asdict(run)) for run in runs],
    }


def published(runs: Collection[Run]) -> list[PublishedRow]:
    """The rows of these runs that are published, each once."""
    rows = (row.published for run in runs for row in run.rows)
    return list(dict.fromkeys(row for row in rows if row is not None))


def _as_json(value: Any) -> Any:
    """The same with times as text."""
    if isinstance(value, dict):
        return {name: _as_json(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(each) for each in value]
    return _as_text(value) if isinstance(value, datetime) else value


def recent_runs(settings: Settings, dag_id: str, run_id: str | None = None) -> tuple[Run, ...]:
    """The latest runs of a measuring DAG, newest first, or one run; none of another DAG."""
    if dag_id not in MEASURING_DAGS:
        return ()
    query = select(DagRun).where(DagRun.dag_id == dag_id).order_by(DagRun.id.desc()).limit(RUNS_SHOWN)
    if run_id is not None:
        query = query.where(DagRun.run_id == run_id)
    with create_session() as session:
        runs = list(session.scalars(query))
        run_ids = [run.run_id for run in runs]
        results = _task_results(session, dag_id, run_ids)
        sweeps = _sweeps_by_run(session, dag_id, run_ids, results)
        measured = {run_id: _measured(results, run_id) for run_id in run_ids}
        every = [row for of_run in measured.values() for sweep in of_run for row in sweep["rows"]]
        published = published_rows(settings, {configuration_id for _, configuration_id in every})
        return tuple(
            _run(run, results, sweeps.get(run.run_id, []), _rows(measured[run.run_id], published))
            for run in runs
        )


def _measured(results: TaskResults, run_id: str) -> list[dict[str, Any]]:
    """Which rows the sweeps of a run measure, as its task `plan` returned or pushed them."""
    planned = results.get((run_id, "plan", -1, "return_value")) or ()
    entries = [entry[MEASURES] for entry in planned if MEASURES in entry]
    return entries or list(results.get((run_id, "plan", -1, MEASURES)) or ())


def _rows(
    sweeps: list[dict[str, Any]], published: Mapping[tuple[str, str, str], PublishedRow]
) -> tuple[Row, ...]:
    return tuple(
        Row(
            model_id=sweep["model_id"],
            batch_size=batch_size,
            configuration_id=configuration_id,
            link=links.row(sweep["model_id"], configuration_id),
            published=published.get((configuration_id, sweep["runtime_version"], sweep["weights"])),
        )
        for sweep in sweeps
        for batch_size, configuration_id in sweep["rows"]
    )


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
        error = results.get((instance.run_id, instance.task_id, instance.map_index, ERROR_KEY))
        sweep = _sweep(instance, error if instance.state == "failed" else None)
        sweeps.setdefault(instance.run_id, []).append(sweep)
    return sweeps


def _task_results(session: Session, dag_id: str, run_ids: list[str]) -> TaskResults:
    """Plans, estimates, verdicts and error lines of these runs."""
    query = (
        select(XComModel.run_id, XComModel.task_id, XComModel.map_index, XComModel.key, XComModel.value)
        .where(XComModel.dag_id == dag_id, XComModel.run_id.in_(run_ids))
        .where(
            XComModel.task_id.in_(_TOLD) & XComModel.key.in_(("return_value", ERROR_KEY, MEASURES))
            | XComModel.task_id.like(MEASURING_TASKS) & (XComModel.key == ERROR_KEY)
        )
    )
    return {
        (row.run_id, row.task_id, row.map_index, row.key): XComModel.deserialize_value(row)
        for row in session.execute(query)
    }


def _run(run: DagRun, results: TaskResults, sweeps: list[Sweep], rows: tuple[Row, ...]) -> Run:
    estimate = results.get((run.run_id, "estimate", -1, "return_value")) or {}
    verdict = results.get((run.run_id, "verdict", -1, "return_value"))
    return Run(
        run_id=run.run_id,
        state=str(run.state),
        queued_at=run.queued_at,
        estimate=estimate.get("summary"),
        verdict=verdict or results.get((run.run_id, "verdict", -1, ERROR_KEY)),
        sweeps=tuple(sweeps),
        rows=rows,
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
