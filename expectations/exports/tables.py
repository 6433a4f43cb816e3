"""Every mart as one CSV file, and `croissant.json`, which describes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark_tasks.disk import sha256
from expectations.exports.croissant import Column, Table, described
from expectations.exports.folder import new_folder
from expectations.publications import MART_SCHEMA, Publication, attached
from expectations.publications.database import literal

if TYPE_CHECKING:
    import duckdb

METADATA_FILE = "croissant.json"


def export_tables(publication: Publication, folder: Path) -> list[str]:
    """Write one CSV file per mart (UTF-8, header, empty for NULL) and `croissant.json`; returns their names.

    Rows have the order of the publication. The same publication gives the same bytes.

    Raises:
        PublicationError: `folder` has something in it, or cannot be written. DiskFull.
    """
    with new_folder(folder) as target, attached(published=publication.database) as connection:
        connection.execute("set preserve_insertion_order = true")
        tables = [_written(connection, name, target) for name in sorted(publication.rows)]
        metadata = described(publication, tables)
        (target / METADATA_FILE).write_text(json.dumps(metadata, indent=1, ensure_ascii=False) + "\n")
        return sorted(path.name for path in target.iterdir())


def _written(connection: duckdb.DuckDBPyConnection, name: str, folder: Path) -> Table:
    path = folder / f"{name}.csv"
    relation = f'published.{MART_SCHEMA}."{name}"'
    connection.execute(f"copy (from {relation}) to {literal(path)} (format csv, header)")
    of_mart = "database_name = 'published' and schema_name = ? and table_name = ?"
    (description,) = connection.execute(
        f"select comment from duckdb_tables() where {of_mart}", [MART_SCHEMA, name]
    ).fetchone() or (None,)
    columns = connection.execute(
        f"select column_name, data_type, comment from duckdb_columns() where {of_mart} order by column_index",
        [MART_SCHEMA, name],
    ).fetchall()
    return Table(
        name=name,
        description=description or "",
        sha256=sha256(path),
        bytes=path.stat().st_size,
        columns=tuple(Column(column, kind, comment or "") for column, kind, comment in columns),
    )
