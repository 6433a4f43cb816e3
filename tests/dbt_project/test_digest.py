"""The digest's queries run on the real marts."""

from __future__ import annotations

from datetime import UTC, datetime

import duckdb
import pytest

from expectations.history.digest import PARTS, query_of


@pytest.mark.parametrize("part", PARTS)
def test_a_query_runs_on_the_marts(marts: duckdb.DuckDBPyConnection, part: str) -> None:
    sql = query_of(part, datetime(2020, 1, 1, tzinfo=UTC))
    with marts.cursor() as connection:
        connection.execute("use marts")
        assert connection.execute(sql).description
