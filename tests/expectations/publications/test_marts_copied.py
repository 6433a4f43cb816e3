"""The copy of the marts: rows are in one order, whatever order a candidate has them in."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import duckdb
import pytest

from expectations.board.explorer.page import mart_columns
from expectations.publications import DATABASE_FILE, PARQUET_FOLDER, marts_written
from expectations.publications import marts as marts_module
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


@pytest.mark.parametrize("kind", ["table", "view"])
def test_a_large_mart_is_there_only_after_it_was_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(marts_module, "LARGE", 1000)
    candidate = tmp_path / "candidate.duckdb"
    with duckdb.connect(str(candidate)) as connection:
        connection.execute("create schema marts; create table marts.rows as from range(3)")
        connection.execute(f"create {kind} marts.power as select i % 7 as seconds from range(100000) t(i)")
        connection.execute(f"comment on {kind} marts.power is 'Watts.'")
        connection.execute("create table marts.a_later_one as from range(2)")
    may_copy = _held_back(monkeypatch, "power")
    with marts_written(candidate, tmp_path / "published") as marts:
        assert marts.names == {"a_later_one", "power", "rows"}
        assert marts.rows("rows") == 3
        assert marts.connection.execute("select count(*) from marts.rows").fetchone() == (3,)
        with pytest.raises(duckdb.CatalogException, match="power does not exist"):
            marts.connection.execute("from marts.power")
        with marts.unsorted() as everything:
            assert everything.execute("select count(*) from marts.power").fetchone() == (100000,)
        may_copy.set()
        marts.wait(["power", "no mart"])
        assert marts.connection.execute("select count(*) from marts.power").fetchone() == (100000,)
        assert {name: table["rows"] for name, table in marts.tables.items()} == {
            "a_later_one": 2,
            "power": 100000,
            "rows": 3,
        }
        assert list(marts.tables) == sorted(marts.tables)
    with duckdb.connect(str(tmp_path / "published" / DATABASE_FILE), read_only=True) as connection:
        comment = connection.execute("select comment from duckdb_tables() where table_name = 'power'")
        assert comment.fetchone() == ("Watts.",)


def test_the_error_of_a_mart_is_told_though_others_come_after_it(tmp_path: Path) -> None:
    candidate = tmp_path / "candidate.duckdb"
    with duckdb.connect(str(candidate)) as connection:
        connection.execute("create schema marts")
        connection.execute("create view marts.b as select cast('watt' || i as int) from range(3) t(i)")
        connection.execute("create view marts.c as from range(3)")
    with (
        pytest.raises(duckdb.ConversionException),
        marts_written(candidate, tmp_path / "published") as marts,
    ):
        marts.wait(["c"])
        assert marts.rows("c") == 3


def test_what_is_given_up_is_not_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    candidate = tmp_path / "candidate.duckdb"
    with duckdb.connect(str(candidate)) as connection:
        connection.execute("create schema marts")
        for name in ("first", "second"):
            connection.execute(f"create view marts.{name} as from range(3)")
    may_copy, shutdown = _held_back(monkeypatch, "first"), ThreadPoolExecutor.shutdown

    def shut_down(pool: ThreadPoolExecutor, *, wait: bool = True, cancel_futures: bool = False) -> None:
        shutdown(pool, wait=False, cancel_futures=cancel_futures)
        may_copy.set()
        shutdown(pool, wait=wait)

    monkeypatch.setattr(ThreadPoolExecutor, "shutdown", shut_down)
    folder = tmp_path / "published"
    with pytest.raises(RuntimeError, match="no page"), marts_written(candidate, folder):
        raise RuntimeError("no page")
    assert not (folder / PARQUET_FOLDER / "second.parquet").exists()


def _held_back(monkeypatch: pytest.MonkeyPatch, name: str) -> Event:
    """The copy of a mart waits for this event, at most ten seconds."""
    copy, event = marts_module._copy, Event()

    def wait_and_copy(connection: Any, marts: Sequence[Any], folder: Path) -> Any:
        if any(mart.name == name for mart in marts):
            assert event.wait(10)
        return copy(connection, marts, folder)

    monkeypatch.setattr(marts_module, "_copy", wait_and_copy)
    return event


def test_a_view_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    candidate = tmp_path / "candidate.duckdb"
    with duckdb.connect(str(candidate)) as connection:
        connection.execute("create schema marts")
        connection.execute("create view marts.power as select cast('watt' || i as int) from range(3) t(i)")
    with pytest.raises(duckdb.ConversionException), marts_written(candidate, tmp_path / "published"):
        pass


def test_what_is_given_up_between_two_statements_is_not_copied_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interruption there does nothing: it must come again."""
    candidate, is_in_order = tmp_path / "candidate.duckdb", marts_module._is_in_order
    there, go_on = Event(), Event()
    with duckdb.connect(str(candidate)) as connection:
        connection.execute("create schema marts; create table marts.small as from range(3)")
        connection.execute("create view marts.large as select hash(i) as h, i from range(6000000) t(i)")

    def held(connection: Any, mart: Any) -> bool:
        found: bool = is_in_order(connection, mart)
        if mart.name == "large":
            there.set()
            go_on.wait()
        return found

    monkeypatch.setattr(marts_module, "_is_in_order", held)
    monkeypatch.setattr(time, "sleep", lambda seconds: go_on.set())  # after the first interruption
    with pytest.raises(RuntimeError, match="a page"), marts_written(candidate, tmp_path / "published"):
        there.wait()
        raise RuntimeError("a page")
    assert not (tmp_path / "published" / PARQUET_FOLDER / "large.parquet").exists()
