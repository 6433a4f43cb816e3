"""A simulated year of one installation: what grows, what housekeeping frees, what backups cost.

    PYTHONPATH=plugins python -m benchmarks.year [--releases 12] [--json]

Twelve releases are measured (copies of recorded bundles with other ids, dates and versions), the leaderboard
is refreshed daily, releases are watched hourly. Real are the bundles, one refresh, Airflow's schema in a real
PostgreSQL, and the commands that are timed. Made up are the other publications (copies), the rows of that
database, the content of logs, and environments: each takes 1/100 of the 3.4 GB that one of a CPU takes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg2

from benchmark_tasks.catalog import Housekeeping
from benchmark_tasks.results import bundle
from benchmark_tasks.results.schema import Run
from benchmark_tasks.results.store import Store
from benchmark_tasks.settings import Settings
from expectations.gate import intake
from expectations.gate.evidence import gather
from jouleboard_airflow.platform import commands, database
from jouleboard_airflow.platform.installation import Installation
from jouleboard_airflow.upkeep import history
from jouleboard_airflow.upkeep.backup import backup
from jouleboard_airflow.upkeep.housekeeping import Row, housekeeping
from jouleboard_airflow.upkeep.restore import restore

RECORDED = Path(__file__).parents[1] / "recorded_runs"
ENVIRONMENT_BYTES = 34_000_000
DAYS = 365
KEPT_PUBLICATIONS = 42
"""What the retention of a year's daily refreshes leaves: the newest 30, and the last of each month."""

LOG_LINE = (
    "[2026-01-01T00:00:00Z] INFO - a line of a task's log, as long as such lines usually are in Airflow\n"
)
HISTORY = """
insert into dag_bundle (name) values ('dags-folder') on conflict do nothing;
insert into dag (
    dag_id, is_paused, is_stale, bundle_name, timetable_type, partition_mapper_info, max_active_tasks,
    max_consecutive_failed_dag_runs, has_task_concurrency_limits, last_parsed_time
)
select name, false, false, 'dags-folder', 'cron', '{}', 16, 0, false, now()
from unnest(array['watch_releases', 'refresh_leaderboard', 'benchmark_release']) as name;
create temporary table runs as
select 'watch_releases' as dag_id, 'hour__' || n as run_id, now() - n * interval '1 hour' as at, 3 as tasks
from generate_series(1, 365 * 24) as n
union all
select 'refresh_leaderboard', 'day__' || n, now() - n * interval '1 day', 4 from generate_series(1, 365) as n
union all
select 'benchmark_release', 'release__vllm__0.' || n, now() - n * interval '30 days', 60
from generate_series(1, 12) as n;
insert into dag_run (
    dag_id, run_id, run_type, run_after, start_date, end_date, queued_at, state, logical_date
)
select dag_id, run_id, 'scheduled', at, at, at + interval '1 minute', at, 'success', at from runs;
insert into task_instance (id, task_id, dag_id, run_id, try_number, pool, pool_slots, map_index, start_date,
                           end_date, state, hostname, operator, executor_config, queue, priority_weight)
select gen_random_uuid(), 'task_' || t, dag_id, run_id, 1, 'default_pool', 1, -1, at,
       at + interval '1 minute', 'success',
       'host', 'PythonOperator', decode('80047d942e', 'hex'), 'default', 1
from runs cross join generate_series(1, 60) as t where t <= tasks;
insert into log (dttm, dag_id, run_id, task_id, event, owner, extra)
select at, dag_id, run_id, 'task_' || t, e, 'jouleboard', repeat('x', 200)
from runs cross join generate_series(1, 60) as t cross join unnest(array['running', 'success']) as e
where t <= tasks;
"""


@dataclass(frozen=True)
class Backup:
    """One call. seconds: wall time. sent_bytes: new content."""

    what: str
    seconds: float
    bytes: int
    sent_bytes: int


@dataclass(frozen=True)
class Year:
    """Everything measured. same_figures: whether the evidence of all runs was the same after housekeeping."""

    runs: int
    rows: list[Row]
    after: list[Row]
    backups: list[Backup]
    same_figures: bool


def main() -> None:
    """Simulate the year and print its tables."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", maxsplit=1)[0])
    parser.add_argument("--releases", type=int, default=12)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with folder() as work:
        year = simulate(work, options.releases)
    print(json.dumps(year, default=vars, indent=1) if options.json else tables(year))


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that PostgreSQL's user can enter."""
    path = Path(tempfile.mkdtemp(prefix="jouleboard-year-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def simulate(work: Path, releases: int) -> Year:
    """Fill a home with a year, back it up, tidy it, and restore it."""
    installation = Installation(Settings(home=work / "home"), 8080)
    settings = installation.settings
    now = datetime.now(UTC)
    days = [30 * (releases - number) - 15 for number in range(releases)]
    land_release(settings, releases - 1, now - timedelta(days=days[-1]))
    publish(settings, now)  # of the newest release: the gate would tell the copies of its runs
    for number in range(releases - 1):
        land_release(settings, number, now - timedelta(days=days[number]))
    make_environments(settings, releases, now)
    make_logs(installation, now)
    make_imports(settings)
    fill_database(installation)
    backups = []
    store = str(work / "backups") + "/"
    backups.append(timed("first backup, into a folder", lambda: backup(installation, store)))
    land_release(settings, releases, now)
    backups.append(timed("second, after one more release", lambda: backup(installation, store)))
    backups.append(timed("third, nothing new", lambda: backup(installation, store)))
    backups.append(timed("one file", lambda: backup(installation, str(work / "one.zip"))))
    there = Installation(Settings(home=work / "restored"), 8080)
    began = time.monotonic()
    restored = restore(there, store).restored
    backups.append(Backup("restore from the folder", time.monotonic() - began, restored.total_bytes, 0))
    (work / "cold").mkdir()
    policy = Housekeeping.model_validate({"raw": {"cold": str(work / "cold"), "after_days": 180}})
    before = evidence(settings)
    with history.answering(installation):
        rows = housekeeping(installation, apply=True, policy=policy)
        after = housekeeping(installation, policy=policy)
    return Year(len(before), rows, after, backups, evidence(settings) == before)


def land_release(settings: Settings, number: int, at: datetime) -> None:
    """Land every recorded bundle as if a later release had been measured at that time."""
    store = Store(settings.raw)
    for index, record in enumerate(sorted(RECORDED.glob("*/*/run.json"))):
        run = Run.model_validate_json(record.read_bytes())
        started = at + timedelta(minutes=10 * index)
        run_id = uuid7(started, number * 100_000 + index)
        comparability = run.comparability.model_copy(update={"runtime_version": f"0.{32 + number}.0"})
        changed = run.model_copy(
            update={
                "run_id": run_id,
                "started_at": started,
                "finished_at": started + (run.finished_at - run.started_at),
                "comparability": comparability,
            }
        )
        with store.staging(run_id) as staged:
            for file in record.parent.iterdir():
                if file.name not in (bundle.RUN_FILE, bundle.CHECKSUMS_FILE):
                    shutil.copyfile(file, staged / file.name)
            bundle.write_record(staged, changed)
            store.land(staged)


def uuid7(at: datetime, number: int) -> str:
    """A run id of that time."""
    milliseconds = int(at.timestamp() * 1000)
    return str(UUID(int=(milliseconds << 80) | (7 << 76) | (2 << 62) | number))


def publish(settings: Settings, now: datetime) -> None:
    """One real refresh, and copies of its publication as a year's retention leaves them."""
    from benchmark_tasks import disk
    from expectations import publications
    from expectations.gate.approval import Approval
    from expectations.refresh import refresh

    refresh(settings, approve=Approval("simulated", "benchmark"), say=lambda line: None)
    first = publications.current(settings)
    assert first is not None
    days = [*(DAYS - 30 * n for n in range(12, 0, -1)), *range(DAYS - 30, DAYS)]
    for number, day in enumerate(days[: KEPT_PUBLICATIONS - 1], 2):
        copy = publications.incoming_folder(settings, number)
        shutil.copytree(first.path, copy)
        (copy / publications.MANIFEST_FILE).unlink()
        at = f"{now - timedelta(days=DAYS - day):%FT%T+00:00}"
        manifest = {**first.manifest, "published_at": at}
        for name in ("number", "manifest_version", "files"):
            manifest.pop(name)
        # A refresh changes the database and the pages: content that no other publication has.
        for page in copy.rglob("*.html"):
            page.chmod(0o644)
            page.write_text(page.read_text() + f"<!-- publication {number} -->\n")
        database_file = copy / "leaderboard.duckdb"
        database_file.chmod(0o644)
        with database_file.open("ab") as file:
            file.write(os.urandom(64))
        with publications.publishing(settings):
            publications.publish(settings, number, copy, manifest)
    disk.sync(settings.published)


def make_environments(settings: Settings, releases: int, now: datetime) -> None:
    """One per release, each used last when its release was measured."""
    for number in range(releases):
        path = settings.environments / f"vllm-0.{32 + number}.0"
        (path / "bin").mkdir(parents=True)
        (path / "bin" / "python").write_bytes(os.urandom(ENVIRONMENT_BYTES))
        record = {"distribution": "vllm", "version": f"0.{32 + number}.0", "packages": {}}
        (path / "environment.json").write_text(json.dumps(record))
        used = (now - timedelta(days=30 * (releases - number))).timestamp()
        os.utime(path / "environment.json", (used, used))


def make_logs(installation: Installation, now: datetime) -> None:
    """Three logs per hourly watch, four per daily refresh."""
    runs = [("watch_releases", timedelta(hours=n), 3) for n in range(DAYS * 24)]
    runs += [("refresh_leaderboard", timedelta(days=n), 4) for n in range(DAYS)]
    for number, (dag_id, ago, tasks) in enumerate(runs):
        run = installation.home / "logs" / f"dag_id={dag_id}" / f"run_id={number}"
        at = (now - ago).timestamp()
        for task in range(tasks):
            log = run / f"task_id=task_{task}" / "attempt=1.log"
            log.parent.mkdir(parents=True)
            log.write_text(LOG_LINE * 20)
            os.utime(log, (at, at))
            os.utime(log.parent, (at, at))
        os.utime(run, (at, at))


def make_imports(settings: Settings) -> None:
    """Four imports of a year, the newest of them current."""
    root = settings.imports / "mlenergy-v3"
    for number in range(4):
        (root / f"{number:016x}").mkdir(parents=True)
        (root / f"{number:016x}" / "mlenergy_configurations.parquet").write_bytes(os.urandom(1_000_000))
    (root / "current").symlink_to(f"{3:016x}")


def fill_database(installation: Installation) -> None:
    """Airflow's schema, and a year of runs in it."""
    installation.component_logs.mkdir(parents=True, exist_ok=True)
    database.make_ready(installation)
    with history.answering(installation):
        commands.prepare(installation, say=lambda line: None)
        connection = psycopg2.connect(database.address(installation).replace("+psycopg2", ""))
        with connection, connection.cursor() as cursor:
            cursor.execute(HISTORY)
        connection.close()


def evidence(settings: Settings) -> dict[str, Any]:
    """What a refresh reads of every run."""
    taken = intake.read(settings)
    assert not taken.listing.broken
    return {row["run_id"]: row for row in taken.table.to_pylist()} | gather(
        taken.listing.runs, settings.warehouse
    )


def timed(what: str, call: Callable[[], Any]) -> Backup:
    """A backup and how long it took."""
    began = time.monotonic()
    result = call()
    return Backup(what, time.monotonic() - began, result.bytes, result.sent_bytes)


def tables(year: Year) -> str:
    """Markdown."""
    lines = [
        f"{year.runs} runs; every figure that a refresh reads is the same afterwards: {year.same_figures}",
        "",
        "| kind | before | freed | after |",
        "|---|---|---|---|",
    ]
    for row, after in zip(year.rows, year.after, strict=True):
        sizes = (row.total_bytes, row.freed_bytes, after.total_bytes)
        lines.append(f"| {row.kind} | " + " | ".join(f"{size / 1e6:,.1f} MB" for size in sizes) + " |")
    lines += ["", "| | time | holds | sent |", "|---|---|---|---|"]
    for item in year.backups:
        moved = f"{item.bytes / 1e6:,.1f} MB | {item.sent_bytes / 1e6:,.1f} MB"
        lines.append(f"| {item.what} | {item.seconds:.0f} s | {moved} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
