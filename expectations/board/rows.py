"""Rows of a publication's marts for its pages: each query is a file beside the page that it fills."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expectations.sql import load_sql

if TYPE_CHECKING:
    import duckdb

Row = dict[str, Any]


def rows_of(connection: duckdb.DuckDBPyConnection, path: Path, **parameters: object) -> list[Row]:
    """What the query of a file gives, one dict per row. parameters: SQL or names, never data."""
    result = connection.execute(load_sql(path, **parameters))
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def has_marts(connection: duckdb.DuckDBPyConnection, paths: Iterable[Path]) -> bool:
    """Whether the publication has every mart that these queries read."""
    needed = {name for path in paths for name in re.findall(r"marts\.(\w+)", path.read_text())}
    query = "select table_name from information_schema.tables where table_schema = 'marts'"
    return needed <= {name for (name,) in connection.execute(query).fetchall()}
