"""Macros that replace dbt's own, and tests of many rows."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import duckdb
import jinja2
import pytest

from expectations.candidate.build import PROJECT, build
from tests.dbt_project.conftest import Warehouse

SOURCE = (PROJECT / "macros" / "tests.sql").read_text()
UNIQUE_WITHIN = re.search(r"{% test unique_within.*?%}(.*?){% endtest %}", SOURCE, re.DOTALL)


@pytest.mark.parametrize(
    ("rows", "repeated"),
    [
        ("('a', 1), ('a', 2), ('b', 0)", 0),
        ("('a', 2), ('a', 1)", 0),
        ("('a', 1), ('a', 1)", 2),
        ("('a', 2), ('a', 1), ('a', 2)", 2),
        ("('a', 1), ('b', 1), ('a', 1)", 2),
        ("('a', 1), ('b', 1), ('a', 0), ('c', 4), ('c', 5), ('c', 4)", 2),
        ("('a', null), ('a', null)", 2),
        ("(null, 1), ('a', 1), (null, 1)", 2),
        ("(null, 1), ('a', 1), (null, 2)", 0),
    ],
)
def test_a_repeated_value_of_a_group_is_found_in_any_order_of_rows(rows: str, repeated: int) -> None:
    assert UNIQUE_WITHIN
    template = jinja2.Template(UNIQUE_WITHIN[1])
    query = template.render(model=f"(values {rows}) as rows(run_id, bin)", group="run_id", column="bin")
    assert len(duckdb.sql(query).fetchall()) == repeated


def test_every_column_of_a_mart_has_its_description(marts: duckdb.DuckDBPyConnection) -> None:
    """Also those of the mart that is a view."""
    without = marts.sql(
        """
        select table_name, column_name from duckdb_columns() where schema_name = 'marts' and comment is null
        union all select table_name, null from duckdb_tables() where schema_name = 'marts' and comment is null
        union all select view_name, null from duckdb_views() where schema_name = 'marts' and comment is null
        """
    )
    assert without.fetchall() == []


def test_a_candidate_can_be_built_again(warehouse: Warehouse, tmp_path: Path) -> None:
    """As after a failed build: what an earlier one made is replaced, a view and a table of Python, too."""
    candidate = tmp_path / "candidate"
    shutil.copytree(warehouse.built.database.parent, candidate)
    stale = "insert into intermediate.int_price_fits (price_list_id) values ('of an earlier build')"
    with duckdb.connect(str(candidate / warehouse.built.database.name)) as connection:
        connection.execute(stale)
        counted = connection.sql("select count(*) from marts.energy_prices").fetchall()
    built = build(candidate, only="energy_prices", unit_tests=False)
    with duckdb.connect(str(built.database), read_only=True) as connection:
        fits = "select count(*) from intermediate.int_price_fits where price_list_id = 'of an earlier build'"
        assert connection.sql(fits).fetchall() == [(0,)]
        assert connection.sql("select count(*) from marts.energy_prices").fetchall() == counted
