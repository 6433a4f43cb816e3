"""DuckDB files: attach them read-only, spill elsewhere, and recognise their error for a full disk."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark_tasks.errors import DiskFull

if TYPE_CHECKING:
    import duckdb

MEMORY_VARIABLE, MEMORY_LIMIT = "JOULEBOARD_DUCKDB_MEMORY", "512MB"
NO_SPACE = "No space left"
"""Text of the operating system's error for a full disk, which DuckDB and dbt repeat."""


@contextmanager
def attached(**databases: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory connection that reads the named database files."""
    import duckdb

    with spill_folder() as spill, duckdb.connect(config={"temp_directory": spill}) as connection:
        for name, path in databases.items():
            connection.execute(f"attach {literal(path)} as {name} (read_only)")
        yield connection


def limits(spill: str, memory: str = MEMORY_LIMIT) -> dict[str, Any]:
    """Settings of a connection that works through whole marts: what needs more memory goes to `spill`.

    memory: the limit, unless `JOULEBOARD_DUCKDB_MEMORY` sets one, as for dbt (`dbt_project/profiles.yml`).
    """
    return {"temp_directory": spill, "memory_limit": os.environ.get(MEMORY_VARIABLE, memory)}


@contextmanager
def spill_folder() -> Iterator[str]:
    """Where DuckDB puts what does not fit in memory; by default that is beside the database.

    A reader that is killed leaves it, and nobody but the operating system's own clean-up removes it.
    """
    with tempfile.TemporaryDirectory(prefix="jouleboard-spill-") as folder:
        yield folder


@contextmanager
def full_disk_in_duckdb(folder: Path) -> Iterator[None]:
    """Raise `DiskFull` for `folder` when DuckDB reports a full disk."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        if NO_SPACE not in str(error):
            raise
        raise disk_full(folder) from error


def disk_full(folder: Path) -> DiskFull:
    """The error that says in one line that the disk of `folder` is full."""
    return DiskFull(
        f"no space left under {folder}: free some space or move JOULEBOARD_HOME; nothing was published"
    )


def literal(value: object) -> str:
    """A value as a quoted SQL string."""
    return "'" + str(value).replace("'", "''") + "'"
