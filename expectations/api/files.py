"""The API as files of a publication: what a host of plain files serves under the same paths."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expectations.api.collections import API_FOLDER, VERSION, Collection, Collections, filters_of, present
from expectations.api.forms import Entry, Index, Page, Source, item_form, items
from expectations.api.openapi import document
from expectations.exports.columns import DATABASE, Mart
from expectations.publications import DATABASE_FILE, attached

if TYPE_CHECKING:
    import duckdb

INDEX_FILE = "index.json"
DOCUMENT_FILE = "openapi.json"
_ROWS_AT_ONCE = 1000


def write_api(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write `api/v1/` into a publication's folder, from the marts that were copied into it.

    One file per collection with all its items, one item per line, and index and OpenAPI description. A
    collection whose mart is not there is left out. Memory: that of a thousand items.

    Raises:
        PublicationError: a column has a type that JSON has no form for.
    """
    target = folder / API_FOLDER / VERSION
    target.mkdir(parents=True)
    summary = manifest["summary"]
    source = source_of(summary["publication_number"], summary["published_at"])
    with attached(**{DATABASE: folder / DATABASE_FILE}) as connection:
        collections = present(connection)
        for collection, mart in collections.values():
            _write(connection, collection, mart, source, target / f"{collection.name}.json")
        (target / DOCUMENT_FILE).write_bytes(as_json(document(collections)))
        (target / INDEX_FILE).write_text(index(connection, collections, source).model_dump_json() + "\n")


def source_of(number: int, published_at: str) -> Source:
    """The publication that an answer names."""
    return Source.model_validate({"number": number, "published_at": published_at}, strict=False)


def as_json(content: Any) -> bytes:
    """A description as text."""
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def index(connection: duckdb.DuckDBPyConnection, collections: Collections, source: Source) -> Index:
    """What there is."""
    entries = [
        Entry(
            name=name,
            path=f"{name}.json",
            total=count(connection, collection.query(mart)),
            filters=list(filters_of(mart)),
        )
        for name, (collection, mart) in collections.items()
    ]
    return Index(publication=source, openapi=DOCUMENT_FILE, collections=entries)


def count(
    connection: duckdb.DuckDBPyConnection, query: str, values: Mapping[str, object] | None = None
) -> int:
    """Number of rows of a query."""
    (number,) = connection.execute(f"select count(*) from ({query})", values).fetchone() or (0,)
    return int(number)


def _write(
    connection: duckdb.DuckDBPyConnection, collection: Collection, mart: Mart, source: Source, path: Path
) -> None:
    """A page with all items, written line by line."""
    query = collection.query(mart)
    total = count(connection, query)
    head = Page[Any](publication=source, total=total, page=1, page_size=total, next=None, data=[])
    with path.open("w") as file:
        file.write(head.model_dump_json().removesuffix("]}"))
        for number, item in enumerate(_items(connection, query, collection, mart)):
            file.write(f"{',' if number else ''}\n{item}")
        file.write("\n]}\n")


def _items(
    connection: duckdb.DuckDBPyConnection, query: str, collection: Collection, mart: Mart
) -> Iterator[str]:
    form, names = item_form(collection, mart), [column.name for column in mart.columns]
    result = connection.execute(query)
    while rows := result.fetchmany(_ROWS_AT_ONCE):
        for item in items(form, names, rows):
            yield item.model_dump_json()
