"""Metrics for Prometheus: what the board, the queue and the platform are like now.

Prometheus logs in with a bearer token, `[jouleboard] metrics_token` of Airflow's configuration; without one,
the page answers nobody. Airflow's own metrics go another way (`platform/airflow_metrics.py`).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from airflow.configuration import conf
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from benchmark_tasks.errors import JouleboardError
from benchmark_tasks.settings import Settings
from expectations import publications
from jouleboard_airflow.notifications import Kind
from jouleboard_airflow.notifications.published import current
from jouleboard_airflow.notifications.records import Records
from jouleboard_airflow.platform import disk_space, heartbeats, notifier, supervisor
from jouleboard_airflow.platform.installation import Installation
from jouleboard_airflow.ui.overview import MEASURING_TASKS

WAITS = ("scheduled", "queued", "running", "up_for_retry")
_LEDGER = Path(__file__).with_name("ledger.sql")


class Metrics(Collector):
    """Everything that is exposed. A part that cannot be read now is left out."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.settings = installation.settings

    def collect(self) -> Iterator[Metric]:
        """All metrics; Prometheus keeps their history."""
        yield from self._publication()
        yield from self._queue()
        yield from self._platform()

    def describe(self) -> list[Metric]:
        """Nothing: a registry would otherwise collect once when it is made."""
        return []

    def _publication(self) -> Iterator[Metric]:
        unreadable = "1 if the ledger could not be read, so that its metrics are missing."
        published = current(self.settings)
        if published is None:
            if publications.current_number(self.settings.published) is not None:
                yield from _known("ledger_unreadable", unreadable, 1)
            return
        ledger = _ledger(self.settings, published.number)
        yield from _known("publication_number", "Number of the current publication.", published.number)
        yield from _known("publication_age_seconds", "Time since it was published.", published.age_seconds)
        yield from _known("publication_rows", "Rows of its leaderboard.", published.rows)
        yield from _known("quarantined_bundles", "Bundles that its gate set aside.", published.quarantined)
        yield from _known("ledger_unreadable", unreadable, int(ledger is None))
        for name, (help_text, value) in (ledger or {}).items():
            yield from _known(name, help_text, value)

    def _queue(self) -> Iterator[Metric]:
        sweeps = _many("sweeps", "Sweeps that wait or are measured now.", "pool", "state")
        beats = _many("heartbeat_age_seconds", "Time since the last heartbeat.", "component")
        with create_session() as session:
            counted = (
                select(TaskInstance.pool, TaskInstance.state, func.count())
                .where(TaskInstance.task_id.like(MEASURING_TASKS), TaskInstance.state.in_(WAITS))
                .group_by(TaskInstance.pool, TaskInstance.state)
            )
            for pool, state, count in session.execute(counted):
                sweeps.add_metric([pool, str(state)], count)
            latest: Any = session.execute(_heartbeats())
            for job_type, beat in latest:
                if (age := heartbeats.age_seconds(beat)) is not None:
                    beats.add_metric([heartbeats.JOBS[job_type].value], age)
        files = {
            "supervisor": supervisor.state_file(self.installation),
            "notifier": notifier.state_file(self.settings),
        }
        for name, file in files.items():
            if (age := heartbeats.age_seconds(heartbeats.last_beat(file))) is not None:
                beats.add_metric([name], age)
        yield from (sweeps, beats)

    def _platform(self) -> Iterator[Metric]:
        free = _many("disk_free_bytes", "Free space of the disk that holds a folder.", "folder")
        size = _many("disk_size_bytes", "Size of that disk.", "folder")
        for space in disk_space.spaces(self.installation):
            free.add_metric([str(space.folder)], space.free_bytes)
            size.add_metric([str(space.folder)], space.total_bytes)
        incidents = _many("open_incidents", "Incidents that are not solved.", "kind")
        found = [record.incident.kind for record in Records(self.settings).all().values() if not record.ended]
        for kind in Kind:
            incidents.add_metric([kind.value], found.count(kind))
        yield from (free, size, incidents)


def build_app(installation: Installation | None = None) -> FastAPI:
    """The application with the one page `/`."""
    registry = CollectorRegistry()
    registry.register(Metrics(installation or Installation.from_environment()))
    app = FastAPI(title="Jouleboard metrics", docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/", dependencies=[Depends(require_token)])
    def metrics() -> Response:
        """The metrics in Prometheus' text format."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    return app


def require_token(
    given: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))],
) -> None:
    """Refuse whoever does not have the token; everybody if none is configured."""
    token = conf.get("jouleboard", "metrics_token", fallback="")
    if not token or given is None or not secrets.compare_digest(given.credentials.encode(), token.encode()):
        raise HTTPException(401, "give the metrics token", headers={"WWW-Authenticate": "Bearer"})


def _ledger(settings: Settings, number: int) -> dict[str, tuple[str, float | None]] | None:
    """Text and value of the ledger's metrics by name; None if it cannot be read."""
    try:
        runs, hours, energy, without_energy = _sums(settings, number)
    except JouleboardError:
        return None
    return {
        "measured_runs": ("Runs in its ledger.", runs),
        "measured_runs_without_energy": ("Runs whose energy is unknown.", without_energy),
        "measured_gpu_hours": ("GPU-hours in its ledger.", hours),
        "measured_energy_kwh": ("Energy of all runs in its ledger, kWh.", None if without_energy else energy),
        "known_energy_kwh": ("Energy of the runs whose energy is known, kWh.", energy),
    }


@lru_cache(maxsize=4)
def _sums(settings: Settings, _number: int) -> tuple[float | None, ...]:
    """The sums over the current publication's ledger, read once per publication; None: unknown.

    Raises:
        PublicationError: it cannot be read; it is tried again the next time.
    """
    (row,) = publications.query(settings, _LEDGER.read_text()).rows
    return tuple(None if value is None else float(value) for value in row)


def _heartbeats() -> Any:
    from airflow.jobs.job import Job

    latest = select(Job.job_type, func.max(Job.latest_heartbeat))
    return latest.where(Job.job_type.in_(heartbeats.JOBS)).group_by(Job.job_type)


def _known(name: str, help_text: str, value: float | None) -> Iterator[Metric]:
    """One metric; none if its value is unknown, which is not 0."""
    if value is not None:
        yield GaugeMetricFamily(f"jouleboard_{name}", help_text, value=value)


def _many(name: str, help_text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"jouleboard_{name}", help_text, labels=labels)
