"""A mart with its columns, types and descriptions, as the publication's database has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from expectations.publications import MART_SCHEMA

if TYPE_CHECKING:
    import duckdb

DATABASE = "published"
"""Name under which an export attaches a publication's database."""


@dataclass(frozen=True)
class Column:
    """A column of a mart: its DuckDB type, and its description with its unit."""

    name: str
    kind: str
    description: str


@dataclass(frozen=True)
class Mart:
    """A mart: what it is about, and its columns in their order."""

    name: str
    description: str
    columns: tuple[Column, ...]

    @property
    def relation(self) -> str:
        """Its name in SQL on a connection that has the database attached as `published`."""
        return f"{DATABASE}.{MART_SCHEMA}.{quoted(self.name)}"


def described(connection: duckdb.DuckDBPyConnection, name: str) -> Mart:
    """A mart of the attached publication."""
    where = "database_name = ? and schema_name = ? and table_name = ?"
    values = [DATABASE, MART_SCHEMA, name]
    (description,) = connection.execute(
        f"select comment from duckdb_tables() where {where}", values
    ).fetchone() or (None,)
    columns = connection.execute(
        f"select column_name, data_type, comment from duckdb_columns() where {where} order by column_index",
        values,
    ).fetchall()
    return Mart(
        name, description or "", tuple(Column(each, kind, text or "") for each, kind, text in columns)
    )


def quoted(name: str) -> str:
    """A name in SQL, of DuckDB or PostgreSQL."""
    return '"' + name.replace('"', '""') + '"'
