"""Old rows of Airflow's database, by its own `airflow db clean`.

The runs of `benchmark_release` and `propose_model` are never removed: a release or model is measured once
because its run exists (`watch_releases`). So `db clean` is called twice: for runs and tasks without these
DAGs, and for all DAGs for what is no part of a run, or does not say of which. Airflow itself keeps the last
run of each DAG that no person started, however old it is.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from benchmark_tasks.errors import JouleboardError, one_line
from benchmark_tasks.processes import die_with_parent
from jouleboard_airflow.platform import database
from jouleboard_airflow.platform.installation import Installation
from jouleboard_airflow.upkeep import history
from jouleboard_airflow.upkeep.findings import Findings, Kind, Removable

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

ONCE = ("benchmark_release", "propose_model")
"""DAGs whose runs say what was measured or proposed already."""

OF_ALL_DAGS = ("asset_event", "deadline", "job", "log", "session", "task_reschedule")
"""Tables that are cleaned for all DAGs. Some have no column `dag_id`, by which `db clean` leaves DAGs out, so
it fails; in the others that is empty for what belongs to no DAG, and such rows would stay for ever."""

OF_RUNS = (
    "callback",
    "dag_run",
    "dag_version",
    "import_error",
    "partitioned_asset_key_log",
    "revoked_token",
    "task_state_store",
    "trigger",
)
"""Tables that are cleaned without the DAGs in `ONCE`, with all that depend on them. Not the table `dag`: it
says which DAGs are paused, also of those that were not read for long because the platform was off."""

_ALSO_DEPENDS = frozenset({"deadline"})
"""Depends on tables of `OF_RUNS`, so `db clean` tries it there, too, and says that it failed."""

MOVED = "_jouleboard_deleted__"
"""How the names of tables begin into which rows are moved before they are removed. `db clean` drops them at
its end, unless it is killed. Airflow's own prefix, `_airflow_deleted__`, is also that of archives that a
person keeps."""

_DB_CLEAN = f"""
from airflow.__main__ import main
from airflow.utils import db_cleanup
assert db_cleanup.ARCHIVE_TABLE_PREFIX == "_airflow_deleted__"
db_cleanup.ARCHIVE_TABLE_PREFIX = {MOVED!r}
main()
"""
_LEFT = """
select schemaname, tablename, pg_total_relation_size(format('%%I.%%I', schemaname, tablename)::regclass)
from pg_tables where starts_with(tablename, %s) order by tablename
"""
_LOCK_SECONDS = 60
_SECONDS = 3600.0
_LARGE_BYTES = 1_000_000
_FAILED = re.compile(r"error when attempting to clean table '(\w+)'")
_FOUND = re.compile(r"Found (\d+) rows meeting deletion criteria")
_CHECKED = re.compile(r"Checking table (\S+)")
_SIZES = """
select c.relname, pg_total_relation_size(c.oid), greatest(s.n_live_tup, 1)
from pg_class c join pg_stat_user_tables s on s.relid = c.oid
"""
_LARGE = """
select schemaname, relname from pg_stat_user_tables
where pg_total_relation_size(relid) > %s and schemaname not like 'pg_temp%%' order by relname
"""


def old_rows(installation: Installation, days: int, environment: Mapping[str, str] = os.environ) -> Findings:
    """Rows older than `days`, and an estimate of their size: their share of each table's."""
    external = environment.get(history.EXTERNAL, "")
    if not history.has_own_database(installation):
        if external.startswith("postgresql"):
            return _found(days, dict(environment), external)
        note = (
            "Airflow was never started here"
            if not external
            else "run `jouleboard housekeeping` outside a task"
        )
        return Findings(Kind.AIRFLOW_DATABASE, 0, note=note)
    if not database.answers(installation):
        return Findings(Kind.AIRFLOW_DATABASE, 0, note="it does not run: `make up` first")
    return _found(days, installation.environment(), database.address(installation))


def _found(days: int, environment: dict[str, str], address: str) -> Findings:
    before = f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%d %H:%M:%S+00:00}"
    rows = _clean(environment, before, "--dry-run")
    total, sizes = _sizes(address)
    estimated = sum(count * sizes.get(table, 0.0) for table, count in rows.items())

    def remove() -> int:
        _clean(environment, before, "--skip-archive", "--yes")
        _shrink(address)
        return max(total - _sizes(address)[0], 0)

    old = (Removable(f"{sum(rows.values()):,} rows", round(estimated), remove),) if any(rows.values()) else ()
    return Findings(Kind.AIRFLOW_DATABASE, total, (*_left_behind(address), *old))


def _left_behind(address: str) -> tuple[Removable, ...]:
    """Tables of a call that was killed: nothing needs their rows any more."""
    from psycopg2 import sql

    with _connected(address) as cursor:
        cursor.execute(_LEFT, [MOVED])
        tables = cursor.fetchall()
    size = sum(int(bytes_) for _, _, bytes_ in tables)

    def remove() -> int:
        with _connected(address) as cursor:
            cursor.execute(f"set lock_timeout = '{_LOCK_SECONDS}s'")
            for schema, name, _ in tables:
                cursor.execute(sql.SQL("drop table {}").format(sql.Identifier(schema, name)))
        return size

    what = f"{len(tables)} tables that a killed clean-up left behind"
    return (Removable(what, size, remove),) if tables else ()


def counted(output: str) -> dict[str, int]:
    """Rows to be removed by table, from what `airflow db clean --dry-run` prints."""
    rows: dict[str, int] = {}
    table = ""
    for line in output.splitlines():
        if match := _CHECKED.search(line):
            table = match[1]
        elif match := _FOUND.search(line):
            rows[table] = int(match[1])
    return rows


def failed(output: str) -> set[str]:
    """Tables that `airflow db clean` says it could not clean; it goes on with the others."""
    return set(_FAILED.findall(output))


def _clean(environment: Mapping[str, str], before: str, *options: str) -> dict[str, int]:
    """Rows by table that were removed, or would be in a dry run.

    Raises:
        JouleboardError: a table could not be cleaned.
    """
    runs = _call(environment, before, OF_RUNS, "--exclude-dag-ids", ",".join(ONCE), *options)
    others = _call(environment, before, OF_ALL_DAGS, *options)
    problems = (failed(runs) - _ALSO_DEPENDS) | failed(others)
    if problems:
        raise JouleboardError(f"`airflow db clean` could not clean {', '.join(sorted(problems))}")
    return counted(runs) | counted(others)


def _call(environment: Mapping[str, str], before: str, tables: Iterable[str], *options: str) -> str:
    """What `airflow db clean` prints on standard output and standard error."""
    command = [sys.executable, "-c", _DB_CLEAN, "db", "clean", "--clean-before-timestamp", before]
    ended = subprocess.run(
        [*command, "--tables", ",".join(tables), *options],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=dict(environment),
        timeout=_SECONDS,
        check=False,
        preexec_fn=die_with_parent,
    )
    if ended.returncode != 0:
        lines = [line for line in ended.stderr.splitlines() if line.strip()] or ["it said nothing"]
        raise JouleboardError(f"`airflow db clean` failed: {lines[-1]}")
    return ended.stdout + ended.stderr


def _sizes(address: str) -> tuple[int, dict[str, float]]:
    """Bytes of the whole database, and bytes per row of each table."""
    with _connected(address) as cursor:
        cursor.execute("analyze")
        cursor.execute("select pg_database_size(current_database())")
        ((total,),) = cursor.fetchall()
        cursor.execute(_SIZES)
        return int(total), {name: float(size) / float(rows) for name, size, rows in cursor.fetchall()}


def _shrink(address: str) -> None:
    """Give the space of large tables back to the disk; one that is busy for seconds is left as it is.

    All large ones: rows also go with those that they refer to.
    """
    import psycopg2
    from psycopg2 import sql

    with _connected(address) as cursor:
        cursor.execute("set lock_timeout = '5s'")
        cursor.execute(_LARGE, [_LARGE_BYTES])
        for table in cursor.fetchall():
            try:
                cursor.execute(sql.SQL("vacuum (full, analyze) {}").format(sql.Identifier(*table)))
            except psycopg2.OperationalError:
                continue


@contextmanager
def _connected(address: str) -> Iterator[Cursor]:
    """A cursor whose statements take effect at once.

    Raises:
        JouleboardError: PostgreSQL refused a statement; has its reason.
    """
    import psycopg2

    connection = psycopg2.connect(address.replace("+psycopg2", ""))
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            yield cursor
    except psycopg2.Error as error:
        raise JouleboardError(f"Airflow's database: {one_line(error)}") from error
    finally:
        connection.close()
