"""Live answers: a page of a collection of the current publication, chosen by filters."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from benchmark_tasks.errors import ApiError, PublicationError, one_line
from benchmark_tasks.settings import Settings
from expectations import publications
from expectations.api.collections import Collections, filters_of, known_values, present
from expectations.api.files import DOCUMENT_FILE, INDEX_FILE, as_json, count, index, source_of
from expectations.api.forms import Problem, item_form, items, page_form
from expectations.api.openapi import DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE, document
from expectations.exports.columns import DATABASE, quoted
from expectations.publications import MANIFEST_FILE, Publication, attached

if TYPE_CHECKING:
    import duckdb

Parameters = Sequence[tuple[str, str]]
_PAGING = ("page", "page_size", "publication")
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
_NAMED = 3
"""Most values that a refusal names."""


@dataclass(frozen=True)
class Answer:
    """An answer of HTTP. body: JSON; empty if the asker has it already (304)."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def answer(settings: Settings, file: str, parameters: Parameters, if_none_match: str = "") -> Answer:
    """What `/v1/<file>` says now; what is wrong with the question is an answer, too.

    parameters: of the query, in their order; a filter may be repeated. if_none_match: header of the request.
    """
    try:
        return _answer(settings, file, parameters, if_none_match)
    except ApiError as error:
        return Answer(error.status, Problem(detail=str(error)).model_dump_json().encode())


def _answer(settings: Settings, file: str, parameters: Parameters, if_none_match: str) -> Answer:
    import duckdb

    try:
        published = publications.current(settings)
        if published is None:
            raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, "nothing is published yet; try again later")
        headers = {"ETag": _etag(published)}
        if _is_known(headers["ETag"], if_none_match):
            return Answer(HTTPStatus.NOT_MODIFIED, b"", headers)
        with attached(**{DATABASE: published.database}) as connection:
            collections = _collections(connection, headers["ETag"])
            body = _body(connection, collections, published, file, parameters)
    except (PublicationError, OSError, duckdb.Error) as error:
        why = one_line(error)
        raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, f"the publication cannot be read: {why}") from error
    return Answer(HTTPStatus.OK, body, headers)


def _is_known(etag: str, if_none_match: str) -> bool:
    """Whether the asker has the answer. A proxy may have made the tag weak (`W/"..."`)."""
    return if_none_match.strip() == "*" or etag in re.findall(r'"[^"]*"', if_none_match)


def _etag(published: Publication) -> str:
    """The same for all answers of a publication, another one after a switch."""
    digest = hashlib.sha256((published.path / MANIFEST_FILE).read_bytes()).hexdigest()
    return f'"{published.number}-{digest[:16]}"'


_described: dict[str, Collections] = {}
"""Collections of the publication that was asked last, by its ETag: it never changes."""


def _collections(connection: duckdb.DuckDBPyConnection, etag: str) -> Collections:
    found = _described.get(etag)
    if found is None:
        found = present(connection)
        _described.clear()
        _described[etag] = found
    return found


def _body(
    connection: duckdb.DuckDBPyConnection,
    collections: Collections,
    published: Publication,
    file: str,
    parameters: Parameters,
) -> bytes:
    source = source_of(published.number, published.manifest["published_at"])
    if file in {INDEX_FILE, DOCUMENT_FILE}:
        _require_known(parameters, {})
        if file == DOCUMENT_FILE:
            return as_json(document(collections))
        return index(connection, collections, source).model_dump_json().encode()
    name = file.removesuffix(".json")
    if name not in collections or name == file:
        there = ", ".join(f"{each}.json" for each in ("index", "openapi", *collections))
        raise ApiError(
            HTTPStatus.NOT_FOUND, f"publication {published.number} has no {file}; there are: {there}"
        )
    collection, mart = collections[name]
    filters = filters_of(mart)
    _require_known(parameters, filters, _PAGING)
    _require_current(parameters, published)
    where, values = _condition(connection, collections, filters, parameters)
    query = collection.query(mart, where)
    total = count(connection, query, values)
    page, size = _page(parameters, total, file)
    rows = connection.execute(f"{query} limit {size} offset {(page - 1) * size}", values).fetchall()
    data = items(item_form(collection, mart), [column.name for column in mart.columns], rows)
    following = _next(file, parameters, page, published) if page * size < total else None
    answer = page_form(collection, mart)(
        publication=source, total=total, page=page, page_size=size, next=following, data=data
    )
    return answer.model_dump_json().encode()


def _require_known(parameters: Parameters, filters: Mapping[str, str], paging: Sequence[str] = ()) -> None:
    """Raise ApiError for a parameter that there is not, and for a page that is asked for twice."""
    names = [name for name, _ in parameters]
    for name in names:
        if name not in filters and name not in paging:
            there = ", ".join((*filters, *paging)) or "none"
            raise ApiError(HTTPStatus.BAD_REQUEST, f"unknown parameter {name[:80]!r}; there are: {there}")
        if name in paging and names.count(name) > 1:
            raise ApiError(HTTPStatus.BAD_REQUEST, f"{name} is there twice; say it once")


def _require_current(parameters: Parameters, published: Publication) -> None:
    asked = dict(parameters).get("publication")
    if asked is not None and _number("publication", asked) != published.number:
        raise ApiError(
            HTTPStatus.CONFLICT,
            f"publication {asked} is not the current one, {published.number} is;"
            " begin again with the first page",
        )


def _condition(
    connection: duckdb.DuckDBPyConnection,
    collections: Collections,
    filters: Mapping[str, str],
    parameters: Parameters,
) -> tuple[str, dict[str, list[str]]]:
    """SQL of the filters and its values."""
    wanted: dict[str, list[str]] = {}
    for name, value in parameters:
        if name in filters:
            wanted.setdefault(name, []).append(value)
    for name, values in wanted.items():
        known = known_values(connection, collections, filters[name])
        for value in values:
            if value not in known:
                raise ApiError(HTTPStatus.BAD_REQUEST, _unknown(name, value, known))
    clauses = [f"list_contains(${name}, {quoted(filters[name])})" for name in wanted]
    return (f"where {' and '.join(clauses)}" if clauses else ""), wanted


def _unknown(name: str, value: str, known: set[str]) -> str:
    near = get_close_matches(value, known, _NAMED, cutoff=0.5)
    some = near or sorted(known)[:_NAMED]
    said = f"{'near it' if near else 'there are'}: {', '.join(some)}" if some else "there is none"
    more = ", ..." if not near and len(known) > _NAMED else ""
    return f"no item has the {name} {value[:80]!r}; {said}{more}"


def _page(parameters: Parameters, total: int, file: str) -> tuple[int, int]:
    """Number and size of the page that is asked for."""
    asked = dict(parameters)
    size = _number("page_size", asked.get("page_size", str(DEFAULT_PAGE_SIZE)))
    if size > LARGEST_PAGE_SIZE:
        raise ApiError(HTTPStatus.BAD_REQUEST, f"page_size is {LARGEST_PAGE_SIZE} at most, not {size}")
    page, last = _number("page", asked.get("page", "1")), max(1, -(-total // size))
    if page > last:
        raise ApiError(HTTPStatus.NOT_FOUND, f"{file} has no page {page}; the last is {last}")
    return page, size


def _number(name: str, text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise ApiError(HTTPStatus.BAD_REQUEST, f"{name} is a number from 1, not {text[:80]!r}")
    return int(text)


def _next(file: str, parameters: Parameters, page: int, published: Publication) -> str:
    """Address of the next page: the same question, of the same publication."""
    kept: list[tuple[str, Any]] = [pair for pair in parameters if pair[0] not in {"page", "publication"}]
    return f"{file}?{urlencode([*kept, ('page', page + 1), ('publication', published.number)])}"
