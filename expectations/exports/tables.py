"""Every mart as one CSV file, and `croissant.json`, which describes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark_tasks.disk import sha256
from expectations.exports import croissant
from expectations.exports.columns import DATABASE, described
from expectations.exports.croissant import Table
from expectations.exports.folder import new_folder
from expectations.publications import Publication, attached
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
    with new_folder(folder) as target, attached(**{DATABASE: publication.database}) as connection:
        connection.execute("set preserve_insertion_order = true")
        tables = [_written(connection, name, target) for name in sorted(publication.rows)]
        metadata = croissant.described(publication, tables)
        (target / METADATA_FILE).write_text(json.dumps(metadata, indent=1, ensure_ascii=False) + "\n")
        return sorted(path.name for path in target.iterdir())


def _written(connection: duckdb.DuckDBPyConnection, name: str, folder: Path) -> Table:
    mart, path = described(connection, name), folder / f"{name}.csv"
    connection.execute(f"copy (from {mart.relation}) to {literal(path)} (format csv, header)")
    return Table(mart, sha256(path), path.stat().st_size)
