"""Whether the platform's components run and are healthy."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path

from benchmark_tasks.errors import JouleboardError
from benchmark_tasks.processes import log_tail
from jouleboard_airflow.platform import components, database, heartbeats
from jouleboard_airflow.platform.components import Component, Record, Started
from jouleboard_airflow.platform.heartbeats import age_seconds
from jouleboard_airflow.platform.installation import Installation
from jouleboard_airflow.platform.supervisor import supervisor_works
from jouleboard_airflow.platform.watch import SILENT_SECONDS

HEALTHY_SECONDS = 180.0
DATABASE_SECONDS = 300.0
"""A database that was killed first works through its journal."""
_LOG_LINES = 8
_POLL_SECONDS = 0.5
_DATABASE_POLL_SECONDS = 0.05


def require_up(installation: Installation) -> None:
    """Check that every component runs, or that a supervisor starts it again.

    Raises:
        JouleboardError: a component has ended, and nothing starts it; names it and has its last log lines.
    """
    record = components.read_record(installation)
    if record is None:
        raise JouleboardError(
            f"the platform in {installation.settings.home} was stopped: `make up` starts it"
        )
    if not (record.supervised and supervisor_works(installation)):
        require_alive(installation, record, "has ended; `make up` starts it again")


def wait_until_database_answers(
    installation: Installation, started: Started, log: Path | None = None
) -> None:
    """Wait until the database accepts a login.

    log: of its process; by default that of the platform's component.

    Raises:
        JouleboardError: it died or did not answer in time; has its last log lines.
    """
    deadline = time.monotonic() + DATABASE_SECONDS
    while not database.answers(installation):
        if started.process() is None:
            raise _component_error(installation, Component.DATABASE, "died while it started", log)
        if time.monotonic() > deadline:
            what = f"did not answer within {DATABASE_SECONDS:.0f} s"
            raise _component_error(installation, Component.DATABASE, what, log)
        time.sleep(_DATABASE_POLL_SECONDS)


def wait_until_healthy(
    installation: Installation, record: Record, began: datetime, fresh: set[Component]
) -> None:
    """Wait until every component reports health; the database answers already.

    Args:
        installation: the platform's Airflow.
        record: the components' processes.
        began: when this start began.
        fresh: components that this start started; of them only heartbeats since `began` count.

    Raises:
        JouleboardError: a component died or was not healthy in time; has its last log lines.
    """
    deadline = time.monotonic() + HEALTHY_SECONDS
    waiting = set(Component) - {Component.DATABASE}
    while waiting:
        require_alive(installation, record, "died while it started")
        if time.monotonic() > deadline:
            first = sorted(waiting)[0]
            raise _component_error(installation, first, f"was not healthy after {HEALTHY_SECONDS:.0f} s")
        waiting -= _healthy(installation, began, fresh)
        if waiting:
            time.sleep(_POLL_SECONDS)


def wait_until_supervised(installation: Installation) -> None:
    """Wait for the first heartbeat of the supervisor that was just started.

    Raises:
        JouleboardError: it died or showed nothing in time; has its last log lines.
    """
    deadline = time.monotonic() + HEALTHY_SECONDS
    while not supervisor_works(installation):
        record = components.read_record(installation)
        if record is None or not record.supervised or time.monotonic() > deadline:
            log = components.supervisor_log_file(installation)
            raise error_with_log(f"the supervisor does not work; its log is {log}", log_tail(log, _LOG_LINES))
        time.sleep(_POLL_SECONDS)


def require_alive(installation: Installation, record: Record, what: str) -> None:
    """Check that every component of a record runs.

    Raises:
        JouleboardError: a component has ended; says `what` of it and has its last log lines.
    """
    running = record.running
    for component in Component:
        if component not in running:
            raise _component_error(installation, component, what)


def _healthy(installation: Installation, began: datetime, fresh: set[Component]) -> set[Component]:
    """Components with a recent heartbeat; of those just started, only a heartbeat of this start counts."""
    last = heartbeats.read(installation).last
    recent = {component for component, beat in last.items() if (age_seconds(beat) or 0) <= SILENT_SECONDS}
    return {component for component in recent if component not in fresh or last[component] >= began}


def _component_error(
    installation: Installation, component: Component, what: str, log: Path | None = None
) -> JouleboardError:
    log = log or components.log_file(installation, component)
    return error_with_log(f"{component.value} {what}; its log is {log}", log_tail(log, _LOG_LINES))


def error_with_log(message: str, lines: tuple[str, ...]) -> JouleboardError:
    """An error with the last lines of a log below its message."""
    return JouleboardError("\n".join([message, *(f"    {line}" for line in lines)]))
