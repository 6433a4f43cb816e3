"""What can be asked for: collections of items, each from one mart, and the filters of all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from expectations.exports.columns import Mart, described, quoted

if TYPE_CHECKING:
    import duckdb

API_FOLDER = "api"
"""Folder of the files in a publication."""

VERSION = "v1"


@dataclass(frozen=True)
class Collection:
    """Items under `/v1/<name>.json`.

    key: columns that no two items share; items are in their order. columns: of the mart; empty means all,
    otherwise there is one item for each different combination. about: what an item is.
    """

    name: str
    mart: str
    key: tuple[str, ...]
    columns: tuple[str, ...] = ()
    about: str = ""

    def described(self, connection: duckdb.DuckDBPyConnection) -> Mart | None:
        """Its columns with their descriptions; `None` if the publication has no such mart.

        connection: as `expectations.publications.attached(published=...)` gives it.
        """
        mart = described(connection, self.mart)
        kept = tuple(column for column in mart.columns if not self.columns or column.name in self.columns)
        if not {*self.key, *self.columns} <= {column.name for column in kept}:
            return None
        return Mart(self.mart, self.about or mart.description, kept)

    def query(self, mart: Mart, where: str = "") -> str:
        """SQL for its items, in the order of the key."""
        names = ", ".join(quoted(column.name) for column in mart.columns)
        order = ", ".join(map(quoted, self.key))
        distinct = "distinct " if self.columns else ""
        return f"select {distinct}{names} from {mart.relation} {where} order by {order}"


COLLECTIONS = (
    Collection("rows", "leaderboard", ("leaderboard_id",)),
    Collection(
        "models",
        "leaderboard",
        ("data_source", "model_id"),
        (
            *("data_source", "model_id", "nickname", "organisation", "family"),
            *("model_architecture", "total_params_billions", "activated_params_billions"),
        ),
        about="One item per model with rows and per source of them.",
    ),
    Collection("releases", "release_summary", ("release_id",)),
    Collection("load", "energy_under_load", ("load_id",)),
    Collection("prices", "energy_prices", ("price_id",)),
)

FILTERS: Mapping[str, str] = MappingProxyType(
    {
        "source": "data_source",
        "model": "model_id",
        "gpu": "gpu_model",
        "task": "task",
        "runtime_version": "runtime_version",
        "weights": "weights",
    }
)
"""Column by the name of its filter. A collection has the filters whose columns it has."""


def filters_of(mart: Mart) -> dict[str, str]:
    """The filters that a collection has."""
    names = {column.name for column in mart.columns}
    return {name: column for name, column in FILTERS.items() if column in names}


Collections = Mapping[str, tuple[Collection, Mart]]
"""Collections of a publication by name, with their columns."""


def present(connection: duckdb.DuckDBPyConnection) -> Collections:
    """The collections that a publication has."""
    found = ((each, each.described(connection)) for each in COLLECTIONS)
    return {each.name: (each, mart) for each, mart in found if mart is not None}


def known_values(connection: duckdb.DuckDBPyConnection, collections: Collections, column: str) -> set[str]:
    """Every value that a column has in any collection: a filter's value must be one of them."""
    marts = [mart for _, mart in collections.values() if column in {each.name for each in mart.columns}]
    relations = sorted({mart.relation for mart in marts})
    each = [f"select {quoted(column)} as value from {relation}" for relation in relations]
    sql = f"select distinct value from ({' union all '.join(each)}) where value is not null"
    return {str(value) for (value,) in connection.execute(sql).fetchall()}
