"""The digest's queries run on the real marts."""

from __future__ import annotations

import duckdb
import pytest

from expectations.history.digest import PARTS, QUERIES
from expectations.sql import load_sql


@pytest.mark.parametrize("part", PARTS)
def test_a_query_runs_on_the_marts(marts: duckdb.DuckDBPyConnection, part: str) -> None:
    sql = load_sql(QUERIES / f"{part}.sql", since="timestamptz '2020-01-01'")
    with marts.cursor() as connection:
        connection.execute("use marts")
        assert connection.execute(sql).description
