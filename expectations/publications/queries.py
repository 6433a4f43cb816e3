"""Read-only SQL on the current publication, for people and scripts."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark_tasks.errors import PublicationError, SettingsError, one_line
from benchmark_tasks.settings import Settings
from expectations.publications.database import literal, spill_folder
from expectations.publications.marts import DATABASE_FILE, MART_SCHEMA
from expectations.publications.store import REPAIR, Publication, require_current

if TYPE_CHECKING:
    import duckdb

QUERY_SECONDS = 60.0
MOST_QUERY_SECONDS = 86_400.0

_CATALOG = Path(DATABASE_FILE).stem
"""Name of the database in SQL: that of its file, as where the file itself is opened."""


@dataclass(frozen=True)
class Table:
    """The result of a query: column names and rows."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def records(self) -> list[dict[str, Any]]:
        """One dict per row.

        Raises:
            PublicationError: two columns have one name.
        """
        twice = [name for name, count in Counter(self.columns).items() if count > 1]
        if twice:
            raise PublicationError(
                f"several columns are named {twice[0]!r}: give each a name of its own, with `as`"
            )
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


@contextmanager
def open_publication(published: Publication) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB connection that can read this publication and nothing else.

    No SQL can reach files, the network, extensions or settings. What does not fit in memory is put aside
    elsewhere, so that a reader leaves nothing in the publication.

    Raises:
        PublicationError: its database cannot be opened.
    """
    locked_down: dict[str, str | bool | int | float | list[str]] = {
        "autoload_known_extensions": "false",
        "autoinstall_known_extensions": "false",
        "allow_community_extensions": "false",
        "memory_limit": "4GB",
    }
    with (
        spill_folder() as spill,
        closing(_connect(published, {**locked_down, "temp_directory": spill})) as connection,
    ):
        yield connection


def _connect(published: Publication, config: Any) -> duckdb.DuckDBPyConnection:
    """An instance of DuckDB of its own: two readers in one process do not share settings."""
    import duckdb

    connection = duckdb.connect(config=config)
    try:
        connection.execute(f"attach {literal(published.database)} as {_CATALOG} (read_only)")
        connection.execute(f"use {_CATALOG}.{MART_SCHEMA}")
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")
    except duckdb.Error as error:
        connection.close()
        why = one_line(error)[:300]
        raise PublicationError(f"publication {published.number} cannot be opened: {why}; {REPAIR}") from error
    return connection


def query(settings: Settings, sql: str, *, seconds: float = QUERY_SECONDS) -> Table:
    """Answer one SQL statement from the current publication.

    Args:
        seconds: longest time for the query, at most `MOST_QUERY_SECONDS`.

    Raises:
        SettingsError: no query can have so much time.
        PublicationError: nothing is published, the SQL is wrong or not allowed, or it took too long.
    """
    import duckdb

    if not (math.isfinite(seconds) and 0 < seconds <= MOST_QUERY_SECONDS):
        raise SettingsError(f"{seconds:g} s for a query: give up to {MOST_QUERY_SECONDS:.0f} s, a day")
    with open_publication(require_current(settings)) as connection:
        out_of_time = threading.Event()

        def interrupt() -> None:
            out_of_time.set()
            connection.interrupt()

        timer = threading.Timer(seconds, interrupt)
        timer.start()
        try:
            if not connection.extract_statements(sql):
                raise PublicationError('the query is empty; try "select * from leaderboard limit 5"')
            result = connection.execute(sql)
            columns = tuple(column[0] for column in result.description or ())
            return Table(columns, tuple(result.fetchall()) if columns else ())
        except (duckdb.Error, RuntimeError) as error:  # RuntimeError: interrupted from the keyboard
            if out_of_time.is_set():
                raise PublicationError(
                    f"the query took more than {seconds:g} s; select less, or allow more time with --seconds"
                ) from error
            raise PublicationError(f"the query failed: {one_line(error)[:400]}") from error
        finally:
            timer.cancel()
