"""Copies a candidate's marts into a publication: one DuckDB database and one Parquet file per mart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmark_tasks.errors import PublicationError
from expectations.publications.database import full_disk_in_duckdb, limits, literal, spill_folder

DATABASE_FILE = "leaderboard.duckdb"
PARQUET_FOLDER = "parquet"
MART_SCHEMA = "marts"


def write_marts(candidate: Path, folder: Path) -> dict[str, dict[str, Any]]:
    """Copy every mart of the candidate into a new database and into Parquet, rows sorted by all columns.

    Returns rows and columns by mart.

    Raises:
        PublicationError: there is no mart.
    """
    import duckdb

    (folder / PARQUET_FOLDER).mkdir(parents=True)
    with full_disk_in_duckdb(folder), spill_folder() as spill:
        connection = duckdb.connect(str(folder / DATABASE_FILE), config=limits(spill))
        try:
            connection.execute("set preserve_insertion_order = true; set threads = 2")
            connection.execute(f"attach {literal(candidate)} as candidate (read_only)")
            tables = _mart_names(connection)
            connection.execute("begin")  # one write to the disk instead of one per comment
            connection.execute(f"create schema {MART_SCHEMA}")
            described = {name: _copy_mart(connection, name, folder) for name in tables}
            connection.execute("commit")
            connection.execute("detach candidate")
            connection.execute("checkpoint")
        finally:
            connection.close()
    if (folder / f"{DATABASE_FILE}.wal").exists():
        raise PublicationError(
            f"{folder}: a write-ahead log is left beside the database; run the refresh again"
        )
    return described


def _copy_mart(connection: Any, name: str, folder: Path) -> dict[str, Any]:
    table = f"{MART_SCHEMA}.{_identifier(name)}"
    order = "" if _is_in_order(connection, name) else "order by all"
    connection.execute(f"create table {table} as select * from candidate.{table} {order}")
    _copy_comments(connection, name)
    path = folder / PARQUET_FOLDER / f"{name}.parquet"
    connection.execute(
        f"copy {table} to {literal(path)}"
        f" (format parquet, compression zstd, kv_metadata {_metadata(connection, name)})"
    )
    columns = [row[0] for row in connection.execute(f"describe {table}").fetchall()]
    return {"rows": connection.execute(f"select count(*) from {table}").fetchone()[0], "columns": columns}


def _is_in_order(connection: Any, name: str) -> bool:
    """Whether a table is sorted by all columns: to look takes a tenth of the time that sorting does.

    A view never is: it may give its rows in another order the next time.
    """
    where = f"database_name = 'candidate' and schema_name = '{MART_SCHEMA}' and table_name = ?"
    if not connection.execute(f"select 1 from duckdb_tables() where {where}", [name]).fetchall():
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
