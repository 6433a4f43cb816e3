"""When each component last showed that it works: by its heartbeat or by an answer, not by its process.

Scheduler, DAG processor and triggerer write heartbeats into Airflow's database, every 5 seconds. The database
and the API server beat when they answer. A process that hangs does neither.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urljoin

import httpx

from jouleboard_airflow.platform import database
from jouleboard_airflow.platform.components import Component
from jouleboard_airflow.platform.installation import Installation

HEALTH_PATH = "/api/v2/monitor/health"
API_SECONDS = 10.0
"""The API server must answer within this time."""

JOBS = {
    "SchedulerJob": Component.SCHEDULER,
    "DagProcessorJob": Component.DAG_PROCESSOR,
    "TriggererJob": Component.TRIGGERER,
}
"""Components by the type of their job in Airflow's database."""
_QUERY = Path(__file__).with_suffix(".sql")


@dataclass(frozen=True)
class Beats:
    """The last signs of life that could be read at one moment.

    last: when a component last beat. Without the database, nobody knows this of Airflow's jobs.
    database_refuses: why the database refused a login, if it answered at all: for example, it works through
        its journal.
    """

    last: Mapping[Component, datetime] = field(default_factory=lambda: MappingProxyType({}))
    database_refuses: str | None = None


def read(installation: Installation) -> Beats:
    """Ask the database and the API server; takes at most a few seconds, also when they hang."""
    last: dict[Component, datetime] = {}
    answer = database.ask(installation, _QUERY.read_text())
    if answer.rows is not None:
        last[Component.DATABASE] = datetime.now(UTC)
        last |= {JOBS[job]: beat for job, beat in answer.rows if job in JOBS and beat}
    for component in set(Component) - {*JOBS.values(), Component.DATABASE, Component.API_SERVER}:
        if when := last_beat(beat_file(installation, component)):
            last[component] = when
    if _api_answers(installation):
        last[Component.API_SERVER] = datetime.now(UTC)
    return Beats(last, answer.refusal)


def beat_file(installation: Installation, component: Component) -> Path:
    """The file whose time is the heartbeat of a component that is not one of Airflow's."""
    return installation.home / f"{component.value}.beat"


def beat(file: Path) -> None:
    """Show by a file's time that this process works. It needs no space once the file is there."""
    try:
        os.utime(file)
    except FileNotFoundError:
        file.touch()


def last_beat(file: Path) -> datetime | None:
    """The time of the last `beat`; None if there was none."""
    try:
        return datetime.fromtimestamp(file.stat().st_mtime, UTC)
    except OSError:
        return None


def age_seconds(beat: datetime | None) -> float | None:
    """Seconds since a heartbeat."""
    return None if beat is None else max(0.0, (datetime.now(UTC) - beat).total_seconds())


def health(url: str) -> dict[str, Any] | None:
    """Airflow's own report on its components; None if the API server does not answer with one in time.

    url: any address of the API server.
    """
    try:
        answer = httpx.get(urljoin(url, HEALTH_PATH), timeout=API_SECONDS, trust_env=False)
        return dict(answer.raise_for_status().json())
    except (httpx.HTTPError, ValueError, TypeError):
        return None


def _api_answers(installation: Installation) -> bool:
    return "scheduler" in (health(installation.url) or {})
