"""What a year leaves behind in an installation.

The runs of each release (`measured_again.py`) land in two parts, a week apart, and each part is published
under its date: by a real refresh for the first and the last release, by a copy of the publication before for
those between, as a refresh takes minutes.

Made up, because it only takes space: environments (of 1/100 of their size), task logs, imports that were
replaced, and most of Airflow's records (`sql/year_of_history.sql` copies those of runs that ran).
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import duckdb
import psycopg2

from benchmark_tasks.imports import mlenergy
from benchmark_tasks.results.store import Store
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.leaderboard import write_leaderboard
from benchmarks import measured_again
from expectations import publications
from expectations import refresh as refreshing
from expectations.gate.approval import Approval
from expectations.refresh import refresh
from jouleboard_airflow.platform import database
from jouleboard_airflow.platform.installation import Installation

DAYS = 365
PARTS = ("h200-2026-11-26-qwen3-8b/*", "h200-2026-11-26-multimodal/*")
"""Bundles that land for each release."""

ENVIRONMENT_BYTES = 34_000_000
"""Instead of the 3.4 GB of one for a CPU."""

REPLACED_IMPORTS = 3
LOGS = {"watch_releases": (24 * DAYS, 1 / 24, 3), "refresh_leaderboard": (DAYS, 1, 4)}
"""Per DAG: runs, days between them, tasks per run."""

LOG = 20 * "[2026-01-01T00:00:00Z] INFO - a line of a task's log, as long as such lines usually are\n"
WRITTEN_BY_PUBLISH = {"number", "manifest_version", "files"}
HISTORY = Path(__file__).parent / "sql" / "year_of_history.sql"
APPROVED = Approval("simulated", "benchmark")


def fill(installation: Installation, count: int, now: datetime) -> None:
    """Fill an empty home with a year in which `count` releases were measured."""
    publish_releases(installation.settings, count, now)
    make_environments(installation.settings, count, now)
    make_logs(installation, now)
    make_replaced_imports(installation.settings)


def publish_releases(settings: Settings, count: int, now: datetime) -> None:
    """Import published results; then land and publish releases, evenly spread over the year before `now`."""
    with tempfile.TemporaryDirectory() as folder:
        mlenergy.import_results(str(write_leaderboard(Path(folder) / "published")), settings)
    for number in range(count):
        for week, bundles in enumerate(PARTS):
            at = released(number, count, now) + timedelta(days=1 + 7 * week)
            seed = number * len(PARTS) + week
            measured_again.land(Store(settings.raw), bundles, version(number), at, seed)
            publish = refresh_at if number in (0, count - 1) else publish_again
            publish(settings, at + timedelta(days=1))


def refresh_at(settings: Settings, at: datetime) -> None:
    """A refresh of that day."""
    with patch.object(refreshing, "datetime", wraps=datetime) as clock:
        clock.now.return_value = at
        refresh(settings, approve=APPROVED)


def publish_again(settings: Settings, at: datetime) -> None:
    """A copy of the newest publication, of that day; its pages and its database are its own."""
    last, number = publications.newest(settings), publications.next_number(settings)
    assert last is not None
    manifest = {name: last.manifest[name] for name in last.manifest.keys() - WRITTEN_BY_PUBLISH}
    dated = {"published_at": f"{at:%FT%T+00:00}"}
    manifest |= dated | {"summary": manifest["summary"] | dated | {"publication_number": number}}
    with publications.publishing(settings):
        copy = publications.incoming_folder(settings, number)
        shutil.copytree(last.path, copy, copy_function=shutil.copyfile)
        (copy / publications.MANIFEST_FILE).unlink()
        for page in copy.rglob("*.html"):
            page.write_text(f"{page.read_text()}<!-- {number} -->\n")
        with duckdb.connect(str(copy / publications.DATABASE_FILE)) as marts:
            marts.execute(f"create or replace table copied as select {number} as number")
        publications.publish(settings, number, copy, manifest)


def version(number: int) -> str:
    """A release's version."""
    return f"0.{32 + number}.0"


def released(number: int, count: int, now: datetime) -> datetime:
    """A release's day."""
    return now - timedelta(days=DAYS * (count - number) / count)


def make_environments(settings: Settings, count: int, now: datetime) -> None:
    """One per release, last used when the release was measured."""
    for number in range(count):
        path = settings.environments / f"vllm-{version(number)}"
        (path / "bin").mkdir(parents=True)
        (path / "bin" / "python").write_bytes(os.urandom(ENVIRONMENT_BYTES))
        record = {"distribution": "vllm", "version": version(number), "packages": {}}
        (path / "environment.json").write_text(json.dumps(record))
        _set_time(path / "environment.json", released(number, count, now))


def make_logs(installation: Installation, now: datetime) -> None:
    """Logs of the year's runs of DAGs."""
    for dag_id, (runs, days_apart, tasks) in LOGS.items():
        for number in range(runs):
            run = installation.home / "logs" / f"dag_id={dag_id}" / f"run_id={number}"
            for task in range(tasks):
                log = run / f"task_id=task_{task}" / "attempt=1.log"
                log.parent.mkdir(parents=True)
                log.write_text(LOG)
            for path in (*run.rglob("*"), run):
                _set_time(path, now - timedelta(days=number * days_apart))


def make_replaced_imports(settings: Settings) -> None:
    """Imports older than the current one."""
    for number in range(REPLACED_IMPORTS):
        old = settings.imports / "mlenergy-v3" / f"{number:016x}"
        old.mkdir()
        (old / "mlenergy_configurations.parquet").write_bytes(os.urandom(1_000_000))
        _set_time(old, datetime.fromtimestamp(number, UTC))


def copy_history(installation: Installation) -> None:
    """Copy the records of Airflow's runs over a year."""
    connection = psycopg2.connect(database.address(installation).replace("+psycopg2", ""))
    with connection, connection.cursor() as cursor:
        cursor.execute(HISTORY.read_text())
    connection.close()


def _set_time(path: Path, at: datetime) -> None:
    os.utime(path, (at.timestamp(), at.timestamp()))
