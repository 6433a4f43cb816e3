"""The copy of the marts: rows are in one order, whatever order a candidate has them in."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from expectations.publications import DATABASE_FILE, PARQUET_FOLDER, write_marts

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
