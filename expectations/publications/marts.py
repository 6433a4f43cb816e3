"""Copies a candidate's marts into a publication: one DuckDB database and one Parquet file per mart."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
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
MEMORY = "300MB"
"""Limit of the copy: less than dbt's, since pages are drawn at the same time."""


_SETTINGS = (
    "set preserve_insertion_order = true",
    "set threads = 1",  # of each connection: pages are drawn at the same time, and two cores are enough
    "set checkpoint_threshold = '100GB'",  # tables are packed once, not again after each commit
    "set disabled_compression_methods = 'fsst,dict_fsst'",  # to try them takes seconds, and saves 2 %
)
_UNSORTED_MEMORY = "200MB"
_BETWEEN_INTERRUPTS_SECONDS = 0.05
LARGE = 50_000
"""Rows from which on a mart is copied while pages are drawn."""


@dataclass
class Marts:
    """The marts of a publication that is being written: what is there can be read meanwhile.

    connection: reads them; a mart that is not there yet has no table. names: of all marts. tables: rows and
    columns by mart, complete after `wait`. candidate: where they are copied from.
    """

    candidate: Path
    connection: duckdb.DuckDBPyConnection
    names: frozenset[str]
    tables: dict[str, dict[str, Any]]
    _later: dict[str, Future[dict[str, Any]]]

    def rows(self, name: str) -> int:
        """How many rows a mart has; 0 if there is none of that name."""
        self.wait([name])
        return int(self.tables.get(name, {"rows": 0})["rows"])

    def wait(self, names: Iterable[str] | None = None) -> None:
        """Until these marts are there, or every one. A name that no mart has is left out.

        Raises:
            duckdb.Error: one could not be written.
        """
        for name in sorted(self._later.keys() & (self.names if names is None else set(names))):
            self.tables[name] = self._later[name].result()
            del self._later[name]
        for name in sorted(self.tables):
            self.tables[name] = self.tables.pop(name)

    @contextmanager
    def unsorted(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection that reads every mart at once, in the candidate: its rows are in no order.

        It has memory of its own, which the copying of the others cannot take.
        """
        import duckdb

        with (
            spill_folder() as spill,
            closing(duckdb.connect(config=limits(spill, _UNSORTED_MEMORY))) as connection,
        ):
            connection.execute("set threads = 1")
            connection.execute(f"attach {literal(self.candidate)} as candidate (read_only); use candidate")
            yield connection


@dataclass(frozen=True)
class _Mart:
    """A mart of the candidate. rows: about how many; `None` for a view. columns: comment by column."""

    name: str
    comment: str | None
    rows: int | None
    columns: dict[str, str | None]

    @property
    def table(self) -> str:
        """Its name in SQL, quoted, with its schema."""
        return f"{MART_SCHEMA}.{_identifier(self.name)}"

    @property
    def is_large(self) -> bool:
        """Whether it is copied while pages are drawn; a view may have millions of rows."""
        return self.rows is None or self.rows >= LARGE


@contextmanager
def marts_written(candidate: Path, folder: Path) -> Iterator[Marts]:
    """Copy every mart of the candidate into a new database and into Parquet, rows sorted by all columns.

    The caller gets them when all but the large ones are there: a thread writes those while the caller works,
    tables before views. To read one before `Marts.wait` is an error. At the end the database is closed.

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
        connection.execute("; ".join(_SETTINGS))
        connection.execute(f"attach {literal(candidate)} as candidate (read_only)")
        described = _described(connection)
        connection.execute(f"create schema {MART_SCHEMA}")
        copied = _copy(connection, [mart for mart in described if not mart.is_large], folder)
        tables = sorted(
            (mart for mart in described if mart.is_large and mart.rows),
            key=lambda mart: (mart.rows, mart.name),
        )
        views = [mart for mart in described if mart.rows is None]
        later = {mart.name: pool.submit(_copy_large, own, mart, folder) for mart in tables}
        packed: Future[Any] = pool.submit(own.execute, "checkpoint")  # tables leave the memory
        later |= {mart.name: pool.submit(_copy_large, own, mart, folder) for mart in views}
        marts = Marts(candidate, connection, frozenset(mart.name for mart in described), copied, later)
        try:
            yield marts
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            while not all(future.done() for future in (packed, *later.values())):
                own.interrupt()  # nobody waits for what is given up; between two statements it does nothing
                time.sleep(_BETWEEN_INTERRUPTS_SECONDS)
            raise
        marts.wait()
        packed.exception()  # waits for its end; the checkpoint below tells of errors
        own.close()  # ends its last transaction
        connection.execute("detach candidate")
        connection.execute("checkpoint")
    if (folder / f"{DATABASE_FILE}.wal").exists():
        raise PublicationError(
            f"{folder}: a write-ahead log is left beside the database; run the refresh again"
        )


def _copy(connection: Any, marts: Sequence[_Mart], folder: Path) -> dict[str, dict[str, Any]]:
    """Copy marts in one transaction, which is one write to the disk; returns rows and columns by mart."""
    connection.execute("begin")
    try:
        copied = {mart.name: _copy_one(connection, mart, folder) for mart in marts}
    except BaseException:
        with suppress(Exception):
            connection.execute("rollback")  # the connection may have others to copy
        raise
    connection.execute("commit")
    return copied


def _copy_large(connection: Any, mart: _Mart, folder: Path) -> dict[str, Any]:
    return _copy(connection, [mart], folder)[mart.name]


def _copy_one(connection: Any, mart: _Mart, folder: Path) -> dict[str, Any]:
    order = "" if _is_in_order(connection, mart) else "order by all"
    connection.execute(f"create table {mart.table} as select * from candidate.{mart.table} {order}")
    _write_parquet(connection, mart, folder)
    _comment(connection, mart)
    (rows,) = connection.execute(f"select count(*) from {mart.table}").fetchone()
    return {"rows": rows, "columns": list(mart.columns)}


def _write_parquet(connection: Any, mart: _Mart, folder: Path) -> None:
    """A copied mart as a Parquet file, with `description`, and `columns` as JSON by column, as metadata."""
    columns = json.dumps({name: comment for name, comment in mart.columns.items() if comment is not None})
    metadata = f"{{description: {literal(mart.comment or '')}, columns: {literal(columns)}}}"
    connection.execute(
        f"copy {mart.table} to {literal(folder / PARQUET_FOLDER / f'{mart.name}.parquet')}"
        f" (format parquet, compression zstd, kv_metadata {metadata})"
    )


def _comment(connection: Any, mart: _Mart) -> None:
    """The descriptions and units of a table and its columns, as the candidate has them."""
    comments = [
        f"comment on column {mart.table}.{_identifier(name)} is {literal(comment)}"
        for name, comment in mart.columns.items()
        if comment is not None
    ]
    if mart.comment is not None:
        comments.append(f"comment on table {mart.table} is {literal(mart.comment)}")
    if comments:
        connection.execute("; ".join(comments))


def _is_in_order(connection: Any, mart: _Mart) -> bool:
    """Whether a table is sorted by all columns: to look takes a tenth of the time that sorting does.

    A view never is: it may give its rows in another order the next time.
    """
    if mart.rows is None:
        return False
    row = f"row({', '.join(map(_identifier, mart.columns))})"
    # NULLs are last in this comparison, too.
    less = f"select {row} < lag({row}) over () as is_less from candidate.{mart.table}"
    (found,) = connection.execute(f"select exists (from ({less}) where is_less)").fetchone()
    return not found


def _described(connection: Any) -> list[_Mart]:
    """The candidate's marts by name, in a few queries: one for each mart takes a second of many.

    Raises:
        PublicationError: there is none.
    """
    here = f"database_name = 'candidate' and schema_name = '{MART_SCHEMA}'"
    kinds = connection.execute(
        f"select table_name, comment, estimated_size from duckdb_tables() where {here}"
        f" union all select view_name, comment, null from duckdb_views() where {here} order by table_name"
    ).fetchall()
    if not kinds:
        raise PublicationError(f"the candidate has no table in schema {MART_SCHEMA}; nothing to publish")
    columns: dict[str, dict[str, str | None]] = defaultdict(dict)
    for table, column, comment in connection.execute(
        "select table_name, column_name, comment from duckdb_columns()"
        f" where {here} order by table_name, column_index"
    ).fetchall():
        columns[table][column] = comment
    return [_Mart(name, comment, rows, columns[name]) for name, comment, rows in kinds]


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
