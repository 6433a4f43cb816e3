"""Forms of the answers: pydantic models whose fields and words are those of the marts' columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from types import GenericAlias, MappingProxyType
from typing import Annotated, Any, Generic, TypeVar, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model

from benchmark_tasks.errors import PublicationError
from expectations.api.collections import Collection
from expectations.exports.columns import Column, Mart

Moment = Annotated[datetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
"""A moment in UTC; as text `2026-11-29T14:20:00Z`."""

_TYPES: Mapping[str, Any] = MappingProxyType(
    {
        "VARCHAR": str,
        **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UINTEGER", "UBIGINT"), int),
        **dict.fromkeys(("FLOAT", "DOUBLE"), float),
        "BOOLEAN": bool,
        "DATE": date,
        "TIMESTAMP WITH TIME ZONE": Moment,
    }
)
Item = TypeVar("Item")


class Form(BaseModel):
    """What all forms share: values are as the mart has them, and no number is infinite."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False, protected_namespaces=())


class Source(Form):
    """The publication that an answer is from."""

    number: int = Field(description="Number of the publication.")
    published_at: Moment = Field(description="When it was published, UTC.")


class Page(Form, Generic[Item]):
    """A part of a collection."""

    publication: Source = Field(description="The publication that the answer is from.")
    total: int = Field(description="Number of items that the filters leave, on all pages.")
    page: int = Field(description="Number of this page; the first is 1.")
    page_size: int = Field(description="Most items of a page. In a file, which has all items: their number.")
    next: str | None = Field(
        description="Address of the next page, relative to this one's. null on the last page."
    )
    data: list[Item] = Field(description="The items of this page. Each has every field; unknown is null.")


class Entry(Form):
    """A collection in the index."""

    name: str = Field(description="Name of the collection.")
    path: str = Field(description="Its address, relative to the index.")
    total: int = Field(description="Number of its items.")
    filters: list[str] = Field(description="Parameters that select items. A folder of files has none.")


class Index(Form):
    """What there is. Its address ends with `/v1/index.json`."""

    publication: Source = Field(description="The publication that the answer is from.")
    openapi: str = Field(description="Address of this description, relative to the index.")
    collections: list[Entry] = Field(description="What can be asked for.")


class Problem(Form):
    """An answer that is not the one that was asked for."""

    detail: str = Field(description="One line: what is wrong, and what to do.")


@lru_cache(maxsize=32)
def item_form(collection: Collection, mart: Mart) -> type[Form]:
    """The form of a collection's items: the mart's columns.

    Raises:
        PublicationError: a column has a type that JSON has no form for.
    """
    fields = {column.name: _field(column, collection, mart) for column in mart.columns}
    name = "".join(word.capitalize() for word in (collection.name.removesuffix("s"), "item"))
    return create_model(name, __base__=Form, __doc__=" ".join(mart.description.split()), **fields)


def page_form(collection: Collection, mart: Mart) -> type[Page[Any]]:
    """The form of a page of a collection. Raises as `item_form`."""
    return cast("type[Page[Any]]", Page[item_form(collection, mart)])  # type: ignore[misc]


def _field(column: Column, collection: Collection, mart: Mart) -> Any:
    element = column.kind.removesuffix("[]")
    if element not in _TYPES:
        raise PublicationError(f"{mart.name}.{column.name}: the API has no form for the type {column.kind}")
    kind: Any = _TYPES[element]
    if element != column.kind:
        kind = GenericAlias(list, kind)
    words = " ".join(column.description.split())
    return (kind if column.name in collection.key else kind | None), Field(description=words)


def items(form: type[Form], names: Iterable[str], rows: Iterable[tuple[Any, ...]]) -> list[Form]:
    """Rows of a query as items."""
    return [form.model_validate(dict(zip(names, row, strict=True))) for row in rows]
