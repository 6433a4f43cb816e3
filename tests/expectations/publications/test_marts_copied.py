"""The copy of the marts: rows are in one order, whatever order a candidate has them in."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from expectations.board.explorer.page import mart_columns
from expectations.publications import DATABASE_FILE, PARQUET_FOLDER, marts_written
from tests.expectations.publishing import write_marts

ORDERS = {
    "sorted": "order by all",
    "reversed": "order by all desc nulls first",
    "last column wrong": "order by run_id, seconds, parts desc nulls first",
    "NULLs first": "order by all asc nulls first",
}


@pytest.mark.parametrize("kind", ["table", "view"])
@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS.keys())
def test_rows_are_sorted_by_all_columns(tmp_path: Path, order: str, kind: str) -> None:
    candidate = tmp_path / "candidate.duckdb"
    with duckdb.connect(str(candidate)) as connection:
        connection.execute("create schema marts")
        connection.execute(
            f"create {kind} marts.power as select * from (select 'run ' || i % 3 as run_id,"
            " case when i % 4 > 0 then cast(i % 4 as double) end as seconds,"
            " case when i % 5 > 0 then [i % 5, i % 7] end as parts"
            f" from range(2500) t(i)) {order}"
        )
        expected = connection.execute("from marts.power order by all").fetchall()
    write_marts(candidate, tmp_path / "published")
    with duckdb.connect(str(tmp_path / "published" / DATABASE_FILE), read_only=True) as connection:
        assert connection.execute("from marts.power").fetchall() == expected
        parquet = tmp_path / "published" / PARQUET_FOLDER / "power.parquet"
        assert connection.execute(f"from '{parquet}'").fetchall() == expected


def test_columns_are_listed_once_while_the_candidate_is_there_too(tmp_path: Path) -> None:
    candidate = tmp_path / "candidate.duckdb"
    with duckdb.connect(str(candidate)) as connection:
        connection.execute("create schema marts; create table marts.leaderboard (task varchar, own integer)")
    with marts_written(candidate, tmp_path / "published") as marts:
        names = [column.name for column in mart_columns(marts.connection)]
    assert names[:2] == ["task", "own"]
    assert len(names) == len(set(names))


def test_tables_can_be_read_while_a_view_is_written(tmp_path: Path) -> None:
    candidate = tmp_path / "candidate.duckdb"
    with duckdb.connect(str(candidate)) as connection:
        connection.execute("create schema marts; create table marts.rows as from range(3)")
        connection.execute("create view marts.power as select i % 7 as seconds from range(100000) t(i)")
        connection.execute("create table marts.a_later_one as from range(2)")
    with marts_written(candidate, tmp_path / "published") as marts:
        assert marts.rows("rows") == 3
        assert marts.connection.execute("select count(*) from marts.rows").fetchone() == (3,)
        assert marts.connection.execute("select count(seconds) from marts.power").fetchone() in (
            (0,),
            (100000,),
        )
        marts.wait()
        assert marts.connection.execute("select count(*) from marts.power").fetchone() == (100000,)
        assert {name: table["rows"] for name, table in marts.tables.items()} == {
            "a_later_one": 2,
            "power": 100000,
            "rows": 3,
        }
        assert list(marts.tables) == sorted(marts.tables)


def test_a_view_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    candidate = tmp_path / "candidate.duckdb"
    with duckdb.connect(str(candidate)) as connection:
        connection.execute("create schema marts")
        connection.execute("create view marts.power as select cast('watt' || i as int) from range(3) t(i)")
    with pytest.raises(duckdb.ConversionException), marts_written(candidate, tmp_path / "published"):
        pass
