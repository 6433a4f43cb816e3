"""Macros that replace dbt's own, and tests of many rows."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import duckdb
import jinja2
import pytest

from benchmark_tasks.plan.versions import how_started, release_of
from expectations.candidate.build import PROJECT, build
from tests.dbt_project.conftest import Warehouse

VERSIONS = (PROJECT / "macros" / "versions.sql").read_text()
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


STARTED = {
    "0.26.0": "",
    "0.26.0+cu128": "",
    "0.26.0+config.7f069e2c": "config.7f069e2c",
    "0.26.0+config.7f069e2c.environment.3061185e.sleep": "config.7f069e2c.environment.3061185e.sleep",
    "0.26.0+cu128+environment.3061185e": "environment.3061185e",
    "0.26.0rc1+endpoint": "endpoint",
    "0.26.0+sleep": "sleep",
    "0.26.0+config": "",
    "0.26.0+config.7f069e2c.cu128": "",
}


def test_sql_and_python_agree_on_how_a_server_was_started() -> None:
    names = ("start_label", "how_started", "release_of")
    macros = [re.search(rf"{{% macro {name}\b.*?endmacro %}}", VERSIONS, re.DOTALL) for name in names]
    asked = "{{ how_started('version') }} as started, {{ release_of('version') }} as release"
    template = jinja2.Template("".join(macro[0] for macro in macros if macro) + asked)
    listed = ", ".join(f"('{version}')" for version in STARTED)
    query = f"select version, {template.render()} from (values {listed}) as versions(version)"
    said = {version: (started, release) for version, started, release in duckdb.sql(query).fetchall()}
    assert {version: started for version, (started, _) in said.items()} == STARTED
    assert {version: (how_started(version), release_of(version)) for version in STARTED} == said
    assert said["0.26.0+cu128+environment.3061185e"][1] == "0.26.0+cu128"


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
