"""The marts that the pages' queries need: each query is a file beside the page that it fills."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


def has_marts(connection: duckdb.DuckDBPyConnection, paths: Iterable[Path]) -> bool:
    """Whether the publication has every mart that these queries read."""
    needed = {name for path in paths for name in re.findall(r"marts\.(\w+)", path.read_text())}
    query = (
        "select table_name from information_schema.tables"
        " where table_catalog = current_database() and table_schema = 'marts'"
    )
    return needed <= {name for (name,) in connection.execute(query).fetchall()}
