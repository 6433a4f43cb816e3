"""Copies a candidate's marts into a publication: one DuckDB database and one Parquet file per mart."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark_tasks.errors import PublicationError
from expectations.publications.database import full_disk_in_duckdb, limits, literal, spill_folder

if TYPE_CHECKING:
    import duckdb

DATABASE_FILE = "leaderboard.duckdb"
PARQUET_FOLDER = "parquet"
MART_SCHEMA = "marts"
MEMORY = "400MB"
"""Limit of the copy: less than dbt's, since pages are drawn at the same time."""


@dataclass
class Marts:
    """The marts of a publication that is being written: what is there can be read meanwhile.

    connection: reads them. tables: rows and columns by mart, complete after `wait`.
    """

    connection: duckdb.DuckDBPyConnection
    tables: dict[str, dict[str, Any]]
    _later: dict[str, Future[dict[str, Any]]]

    def rows(self, name: str) -> int:
        """How many rows a mart has; 0 if there is none of that name."""
        if name in self._later:
            self.wait()
        return int(self.tables.get(name, {"rows": 0})["rows"])

    def wait(self) -> None:
        """Until every mart is there.

        Raises:
            duckdb.Error: one could not be written.
        """
        found = self.tables | {name: mart.result() for name, mart in self._later.items()}
        self._later.clear()
        self.tables.clear()
        self.tables.update(sorted(found.items()))


@contextmanager
def marts_written(candidate: Path, folder: Path) -> Iterator[Marts]:
    """Copy every mart of the candidate into a new database and into Parquet, rows sorted by all columns.

    The caller gets them when all but the views are there. A view may have millions of rows, so a thread
    writes it while the caller works; until `Marts.wait` it has none. At the end the database is closed.

    Raises:
        PublicationError: there is no mart.
    """
    import duckdb

    (folder / PARQUET_FOLDER).mkdir(parents=True)
    with (
        full_disk_in_duckdb(folder),
        spill_folder() as spill,
        closing(duckdb.connect(str(folder / DATABASE_FILE), config=limits(spill, MEMORY))) as connection,
        closing(connection.cursor()) as own,  # of the thread: it cannot share a connection
        ThreadPoolExecutor(1) as pool,
    ):
        connection.execute("set preserve_insertion_order = true; set threads = 2")
        connection.execute(f"attach {literal(candidate)} as candidate (read_only)")
        names = _mart_names(connection)
        views = [name for name in names if not _is_table(connection, name)]
        _create(connection, views)
        later = {name: pool.submit(_copy_rows, own, name, folder) for name in views}
        tables = [name for name in names if name not in later]
        _create(connection, tables)
        connection.execute("begin")  # one write to the disk instead of one per mart
        copied = {name: _copy_rows(connection, name, folder) for name in tables}
        connection.execute("commit")
        marts = Marts(connection, copied, later)
        try:
            yield marts
        except BaseException:
            own.interrupt()  # nobody waits for the views of what is given up
            raise
        marts.wait()
        own.close()  # ends its last transaction
        connection.execute("detach candidate")
        connection.execute("checkpoint")
    if (folder / f"{DATABASE_FILE}.wal").exists():
        raise PublicationError(
            f"{folder}: a write-ahead log is left beside the database; run the refresh again"
        )


def _create(connection: Any, names: Sequence[str]) -> None:
    """Tables without rows, as the candidate describes them."""
    connection.execute("begin")
    connection.execute(f"create schema if not exists {MART_SCHEMA}")
    for name in names:
        table = f"{MART_SCHEMA}.{_identifier(name)}"
        connection.execute(f"create table {table} as select * from candidate.{table} with no data")
        _copy_comments(connection, name)
    connection.execute("commit")


def _copy_rows(connection: Any, name: str, folder: Path) -> dict[str, Any]:
    """The rows of a mart, into its table and a Parquet file; returns their number and the columns."""
    table = f"{MART_SCHEMA}.{_identifier(name)}"
    order = "" if _is_in_order(connection, name) else "order by all"
    connection.execute(f"insert into {table} select * from candidate.{table} {order}")
    path = folder / PARQUET_FOLDER / f"{name}.parquet"
    connection.execute(
        f"copy {table} to {literal(path)}"
        f" (format parquet, compression zstd, kv_metadata {_metadata(connection, name)})"
    )
    columns = [row[0] for row in connection.execute(f"describe {table}").fetchall()]
    return {"rows": connection.execute(f"select count(*) from {table}").fetchone()[0], "columns": columns}


def _is_table(connection: Any, name: str) -> bool:
    """Whether the candidate holds its rows; otherwise it is a view."""
    where = f"database_name = 'candidate' and schema_name = '{MART_SCHEMA}' and table_name = ?"
    return bool(connection.execute(f"select 1 from duckdb_tables() where {where}", [name]).fetchall())


def _is_in_order(connection: Any, name: str) -> bool:
    """Whether a table is sorted by all columns: to look takes a tenth of the time that sorting does.

    A view never is: it may give its rows in another order the next time.
    """
    if not _is_table(connection, name):
        return False
    table = f"candidate.{MART_SCHEMA}.{_identifier(name)}"
    names = [row[0] for row in connection.execute(f"describe {table}").fetchall()]
    row = f"row({', '.join(map(_identifier, names))})"
    less = f"select {row} < lag({row}) over () as is_less from {table}"  # NULLs are last here, too
    (found,) = connection.execute(f"select exists (from ({less}) where is_less)").fetchone()
    return not found


def _copy_comments(connection: Any, name: str) -> None:
    """Copy the descriptions and units of a table and its columns."""
    table = f"{MART_SCHEMA}.{_identifier(name)}"
    where = f"database_name = 'candidate' and schema_name = '{MART_SCHEMA}' and table_name = ?"
    for (comment,) in connection.execute(
        "select table_comment from information_schema.tables where table_comment is not null"
        f" and table_catalog = 'candidate' and table_schema = '{MART_SCHEMA}' and table_name = ?",
        [name],
    ).fetchall():
        connection.execute(f"comment on table {table} is {literal(comment)}")
    for column, comment in connection.execute(
        f"select column_name, comment from duckdb_columns() where {where} and comment is not null", [name]
    ).fetchall():
        connection.execute(f"comment on column {table}.{_identifier(column)} is {literal(comment)}")


def _metadata(connection: Any, name: str) -> str:
    """Metadata of the Parquet file, as a DuckDB struct: `description`, and `columns` as JSON by column."""
    (description,) = connection.execute(
        "select comment from duckdb_tables() where database_name = current_database() and schema_name = ?"
        " and table_name = ?",
        [MART_SCHEMA, name],
    ).fetchone()
    columns = connection.execute(
        "select column_name, comment from duckdb_columns() where database_name = current_database()"
        " and schema_name = ? and table_name = ? and comment is not null order by column_index",
        [MART_SCHEMA, name],
    ).fetchall()
    columns_json = json.dumps(dict(columns))
    return f"{{description: {literal(description or '')}, columns: {literal(columns_json)}}}"


def _mart_names(connection: Any) -> list[str]:
    rows = connection.execute(
        "select table_name from information_schema.tables"
        f" where table_catalog = 'candidate' and table_schema = '{MART_SCHEMA}' order by table_name"
    ).fetchall()
    if not rows:
        raise PublicationError(f"the candidate has no table in schema {MART_SCHEMA}; nothing to publish")
    return [name for (name,) in rows]


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
