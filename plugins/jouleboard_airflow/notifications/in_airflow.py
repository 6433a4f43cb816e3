"""What is broken, as Airflow's database says it: failed runs, sweeps that fail or wait, questions, late runs.

The notifier asks the database and not the API server or the scheduler: it answers when those are dead. What
is broken is compared with what is recorded: so a restart of the notifier tells nothing twice, and what is no
longer broken is told as solved.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from benchmark_tasks.settings import Settings
from jouleboard_airflow.notifications.incidents import Incident, Kind
from jouleboard_airflow.notifications.records import Record, Records
from jouleboard_airflow.notifications.telling import recovered, tell

if TYPE_CHECKING:
    from sqlalchemy import Connection

QUERIES = Path(__file__).parent / "queries"

EACH_RUN_COUNTS = (
    "benchmark_release",
    "benchmark_on_demand",
    "propose_model",
    "import_published_results",
    "import_contribution",
    "contest_change",
    "set_objective",
)
"""DAGs whose runs do work of their own. In every other DAG the next run does what a failed one did not."""

MEASURE = ("benchmark_release", "benchmark_on_demand", "recheck", "rotation", "confirm_changes")
QUESTION_MINUTES = 10
"""A question is told after so long: whoever started the run may answer it at once."""
WAITING_MINUTES = 30
NEW = timedelta(days=1)
"""Older failures are not told, for example when notifications are set up in the middle of a year."""
FORGOTTEN = timedelta(days=7)
"""After so long a failed run that nobody repaired is no longer recorded as open."""

SILENT_MINUTES = 5

_OURS = ("run/", "question/", "late/", "waiting/", "host/", "file/")


@dataclass(frozen=True)
class Found:
    """What is broken now, and how questions were answered, by key.

    in_progress: keys of runs that have not ended; one that failed and was cleared is neither broken nor well.
    """

    incidents: tuple[Incident, ...]
    answers: Mapping[str, str]
    in_progress: frozenset[str] = frozenset()


def look(connection: Connection, base_url: str, open_keys: frozenset[str]) -> Found:
    """Ask Airflow's database.

    base_url: address of the UI, for links. open_keys: incidents that are recorded already.
    """
    questions = _rows(connection, "questions", minutes=QUESTION_MINUTES)
    incidents = {
        incident.key: incident
        for incident in (
            *_failed_runs(_rows(connection, "failed_runs"), base_url, open_keys),
            *_failed_sweeps(_rows(connection, "failed_sweeps"), base_url),
            *_waiting(_rows(connection, "waiting_sweeps", minutes=WAITING_MINUTES), base_url),
            *_questions([row for row in questions if row["is_open"]], base_url),
            *_late(_rows(connection, "late_runs"), base_url),
            *_silent(connection, base_url),
            *_unreadable(_rows(connection, "unreadable_files"), base_url),
        )
    }
    answers = {_question_key(row): _answer(row) for row in questions if not row["is_open"]}
    running = _rows(connection, "runs_in_progress")
    in_progress = frozenset(_run_key(row["dag_id"], row["run_id"]) for row in running)
    return Found(tuple(incidents.values()), answers, in_progress)


def reconcile(found: Found, records: Records, settings: Settings) -> None:
    """Note what is new, and what is over."""
    broken = {incident.key for incident in found.incidents}
    for incident in found.incidents:
        tell(incident, settings, records=records)
    for key, record in records.all().items():
        if not key.startswith(_OURS) or key in broken | found.in_progress or record.ended:
            continue
        if _is_old(record):
            records.remove(key)
        else:
            recovered(key, settings, found.answers.get(key) or _how(record.incident), records=records)


def _failed_runs(rows: list[dict[str, Any]], base_url: str, open_keys: frozenset[str]) -> Iterator[Incident]:
    for row in rows:  # the oldest first: of a DAG that repeats itself, the latest failure remains
        dag_id, run_id = row["dag_id"], row["run_id"]
        each = dag_id in EACH_RUN_COUNTS
        key = _run_key(dag_id, run_id)
        is_new = datetime.now(UTC) - row["ended_at"] < NEW
        if (is_new or key in open_keys) if each else row["nothing_succeeded_since"]:
            why = row["error"] or _without_error(row["failed_tasks"])
            yield Incident(key, _kind(dag_id), _failed(dag_id, run_id), why, _run_link(base_url, row))


def _failed_sweeps(rows: list[dict[str, Any]], base_url: str) -> Iterator[Incident]:
    for row in rows:
        what = f"{row['failed']} of {row['sweeps']} sweeps of {row['dag_id']} {row['run_id']} failed."
        key = _run_key(row["dag_id"], row["run_id"])
        yield Incident(key, Kind.SWEEP, what, row["error"] or "", _run_link(base_url, row))


def _waiting(rows: list[dict[str, Any]], base_url: str) -> Iterator[Incident]:
    for row in rows:
        pool, count = row["pool"], row["sweeps"]
        waits = "1 sweep waits" if count == 1 else f"{count} sweeps wait"
        what = f"{waits} for the pool {pool}, and nothing has run there for {WAITING_MINUTES} minutes."
        yield Incident(f"waiting/{pool}", Kind.WAITING, what, "", f"{base_url}/pools")


def _questions(rows: list[dict[str, Any]], base_url: str) -> Iterator[Incident]:
    for row in rows:
        what = f"A question waits for an answer: {row['subject']}"
        yield Incident(_question_key(row), Kind.QUESTION, what, "", _run_link(base_url, row))


def _late(rows: list[dict[str, Any]], base_url: str) -> Iterator[Incident]:
    for row in rows:
        what = f"{row['dag_id']} {row['run_id']} has not ended by its deadline; it is {row['state']}."
        key = f"late/{row['dag_id']}/{row['run_id']}"
        yield Incident(key, Kind.LATE, what, "", _run_link(base_url, row))


def _silent(connection: Connection, base_url: str) -> Iterator[Incident]:
    """GPU hosts that joined; without the Edge provider there is no such table."""
    from sqlalchemy import text

    if connection.scalar(text("select to_regclass('edge_worker')")) is None:
        return
    for row in _rows(connection, "silent_hosts", minutes=SILENT_MINUTES):
        name = row["worker_name"]
        what = f"The GPU host {name} has given no sign of life for {SILENT_MINUTES} minutes."
        yield Incident(f"host/{name}", Kind.HOST, what, "", f"{base_url}/plugin/edge_worker")


def _unreadable(rows: list[dict[str, Any]], base_url: str) -> Iterator[Incident]:
    for row in rows:
        what = f"The DAG file {row['filename']} cannot be read: its DAGs do not run."
        why = str(row["stacktrace"]).strip().rpartition("\n")[2]
        yield Incident(f"file/{row['filename']}", Kind.FILE, what, why, f"{base_url}/dags")


def _kind(dag_id: str) -> Kind:
    match dag_id:
        case "refresh_leaderboard":
            return Kind.REFRESH
        case "watch_releases":
            return Kind.WATCH
        case _ if dag_id in MEASURE:
            return Kind.SWEEP
        case _:
            return Kind.RUN


def _failed(dag_id: str, run_id: str) -> str:
    match _kind(dag_id):
        case Kind.REFRESH:
            return "The leaderboard was not refreshed."
        case Kind.WATCH:
            return "The watch for new releases failed."
        case _:
            return f"{dag_id} {run_id} failed."


def _without_error(failed_tasks: str | None) -> str:
    if failed_tasks:
        return f"failed: {failed_tasks}; the last lines of the log say why"
    return "no task failed: the run took too long, or a person marked it as failed"


def _how(incident: Incident) -> str:
    match incident.kind:
        case Kind.REFRESH | Kind.WATCH:
            return "A later run succeeded."
        case Kind.QUESTION:
            return "It is no longer open."
        case Kind.WAITING:
            return "Sweeps run there again, or no longer wait."
        case Kind.LATE:
            return "The run has ended, was cleared, or waits for a person."
        case Kind.FILE:
            return "It can be read again."
        case Kind.HOST:
            return "It is connected again, or was stopped."
        case _:
            return "It was run again, or marked as success."


def _answer(row: Mapping[str, Any]) -> str:
    if row["answered_by"]:
        return f"{row['answered_by']} answered {row['answer']}."
    return "Nobody answered in time: it counts as Reject."


def _is_old(record: Record) -> bool:
    """A failed run that nobody repaired is forgotten, not solved."""
    each = record.incident.key.count("/") > 1 and record.incident.key.startswith("run/")
    return each and datetime.now(UTC) - record.began > FORGOTTEN


def _run_key(dag_id: str, run_id: str) -> str:
    return f"run/{dag_id}/{run_id}" if dag_id in EACH_RUN_COUNTS else f"run/{dag_id}"


def _question_key(row: Mapping[str, Any]) -> str:
    return f"question/{row['dag_id']}/{row['run_id']}/{row['task_id']}"


def _run_link(base_url: str, row: Mapping[str, Any]) -> str:
    return f"{base_url}/dags/{quote(row['dag_id'])}/runs/{quote(row['run_id'])}"


def _rows(connection: Connection, name: str, **values: int) -> list[dict[str, Any]]:
    from sqlalchemy import text

    statement = text((QUERIES / f"{name}.sql").read_text())
    return [dict(row) for row in connection.execute(statement, values).mappings()]
