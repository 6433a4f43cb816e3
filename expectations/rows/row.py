"""A row of the leaderboard with what the publication says of its runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmark_tasks.errors import PublicationError, one_line
from benchmark_tasks.vocabulary import CONTRIBUTOR_PREFIX, DataSource
from expectations.sql import ROW_NAME, rows_of_query

if TYPE_CHECKING:
    import duckdb

_SHOWN = 4
"""Rows that an error names."""


@dataclass(frozen=True)
class Row:
    """A row of the mart `leaderboard`.

    columns: its values. name: what it is, for people. evidence: its row of `row_evidence`.
    runs: the rows of `run_log` that have its configuration, those that are no part of it included.
    """

    columns: Mapping[str, Any]
    name: str
    evidence: Mapping[str, Any]
    runs: tuple[Mapping[str, Any], ...]

    @property
    def id(self) -> str:
        """Its `leaderboard_id`."""
        return str(self.columns["leaderboard_id"])

    @property
    def is_measured(self) -> bool:
        """Whether it rests on bundles; other rows were published by others and imported."""
        source = str(self.columns["data_source"])
        return source == DataSource.JOULEBOARD or source.startswith(CONTRIBUTOR_PREFIX)

    @property
    def run_ids(self) -> tuple[str, ...]:
        """The runs behind it, as the board shows them."""
        return tuple(self.evidence["run_ids"].split(", "))


def find_row(connection: duckdb.DuckDBPyConnection, text: str) -> Row:
    """The row that has this id, or the beginning of it; a configuration's id or its address on the board.

    Raises:
        PublicationError: there is none, or several.
    """
    wanted = text.rpartition("#")[2].strip()
    of_one = "starts_with(leaderboard_id, $wanted) or starts_with(configuration_id, $wanted)"
    found = _read(connection, of_one, {"wanted": wanted}) if wanted else []
    if not found:
        query = '`jouleboard query "select leaderboard_id, nickname, batch_size from leaderboard"`'
        raise PublicationError(f"no row {text!r} on the leaderboard; {query} lists the ids of rows")
    if len(found) > 1:
        shown = "; ".join(f"{row.id} ({row.name})" for row in found[:_SHOWN])
        more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise PublicationError(f"{len(found)} rows have {text!r}: name one of {shown}{more}")
    return found[0]


def all_rows(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    """Every row of the leaderboard, in the order of ids.

    Raises:
        PublicationError: the publication lacks a mart that says where rows come from.
    """
    return _read(connection, "true", {})


def rows_by_id(connection: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> list[Row]:
    """Some rows, in the order of ids.

    Raises:
        PublicationError: the publication lacks a mart that says where rows come from.
    """
    return _read(connection, "leaderboard_id in (select unnest($wanted))", {"wanted": list(ids)})


def _read(connection: duckdb.DuckDBPyConnection, condition: str, values: dict[str, object]) -> list[Row]:
    import duckdb

    try:
        columns = rows_of_query(
            connection,
            f"select *, {ROW_NAME} as row_name from marts.leaderboard where {condition}"
            " order by leaderboard_id",
            values,
        )
        evidence = {
            row["leaderboard_id"]: row
            for row in rows_of_query(
                connection,
                "select * from marts.row_evidence where leaderboard_id in (select unnest($ids))",
                {"ids": [row["leaderboard_id"] for row in columns]},
            )
        }
        runs = _by_configuration(
            rows_of_query(
                connection,
                "select * from marts.run_log where configuration_id in (select unnest($ids))"
                " order by started_at, run_id",
                {"ids": sorted({row["configuration_id"] for row in columns})},
            )
        )
    except duckdb.CatalogException as error:
        why = one_line(error)[:200]
        raise PublicationError(f"this publication does not say where its rows come from: {why}") from error
    return [
        Row(
            columns=row,
            name=row.pop("row_name"),
            evidence=evidence[row["leaderboard_id"]],
            runs=tuple(runs.get((row["data_source"], row["configuration_id"]), ())),
        )
        for row in columns
    ]


def _by_configuration(runs: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], list[Mapping[str, Any]]]:
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for run in runs:
        found.setdefault((run["data_source"], run["configuration_id"]), []).append(run)
    return found
