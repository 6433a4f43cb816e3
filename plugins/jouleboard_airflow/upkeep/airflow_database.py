"""Old rows of Airflow's database, by its own `airflow db clean`.

The runs of `benchmark_release` and `propose_model` are never removed: a release or model is measured once
because its run exists (`watch_releases`).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from benchmark_tasks.errors import JouleboardError
from jouleboard_airflow.platform import database
from jouleboard_airflow.platform.installation import Installation
from jouleboard_airflow.upkeep import history
from jouleboard_airflow.upkeep.findings import Findings, Kind, Removable

ONCE = ("benchmark_release", "propose_model")
"""DAGs whose runs say what was measured or proposed already."""

_SECONDS = 3600.0
_FOUND = re.compile(r"Found (\d+) rows meeting deletion criteria")
_CHECKED = re.compile(r"Checking table (\S+)")
_SIZES = """
select c.relname, pg_total_relation_size(c.oid), greatest(s.n_live_tup, 1)
from pg_class c join pg_stat_user_tables s on s.relid = c.oid
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
    rows = counted(_clean(environment, before, "--dry-run"))
    total, sizes = _sizes(address)
    estimated = sum(count * sizes.get(table, 0.0) for table, count in rows.items())

    def remove() -> int:
        _clean(environment, before, "--skip-archive", "--yes", "--error-on-cleanup-failure")
        _shrink(address, [table for table, count in rows.items() if count])
        return max(total - _sizes(address)[0], 0)

    removable = (
        (Removable(f"{sum(rows.values()):,} rows", round(estimated), remove),) if any(rows.values()) else ()
    )
    return Findings(Kind.AIRFLOW_DATABASE, total, removable)


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


def _clean(environment: Mapping[str, str], before: str, *options: str) -> str:
    command = [sys.executable, "-m", "airflow", "db", "clean", "--clean-before-timestamp", before]
    ended = subprocess.run(
        [*command, "--exclude-dag-ids", ",".join(ONCE), *options],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=dict(environment),
        timeout=_SECONDS,
        check=False,
    )
    if ended.returncode != 0:
        lines = [line for line in ended.stderr.splitlines() if line.strip()] or ["it said nothing"]
        raise JouleboardError(f"`airflow db clean` failed: {lines[-1]}")
    return ended.stdout


def _sizes(address: str) -> tuple[int, dict[str, float]]:
    """Bytes of the whole database, and bytes per row of each table."""
    import psycopg2

    connection = psycopg2.connect(address.replace("+psycopg2", ""))
    try:
        with connection.cursor() as cursor:
            cursor.execute("analyze")
            cursor.execute("select pg_database_size(current_database())")
            ((total,),) = cursor.fetchall()
            cursor.execute(_SIZES)
            return int(total), {name: float(size) / float(rows) for name, size, rows in cursor.fetchall()}
    finally:
        connection.close()


def _shrink(address: str, tables: list[str]) -> None:
    """Give the space back to the disk; a table that is busy for seconds is left as it is."""
    import psycopg2
    from psycopg2 import sql

    connection = psycopg2.connect(address.replace("+psycopg2", ""))
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("set lock_timeout = '5s'")
            for table in tables:
                try:
                    cursor.execute(sql.SQL("vacuum (full, analyze) {}").format(sql.Identifier(table)))
                except psycopg2.OperationalError:
                    continue
    finally:
        connection.close()
