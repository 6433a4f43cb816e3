"""Publications in a real PostgreSQL: what readers see before, while and after they are copied."""

from __future__ import annotations

import json
import math
import re
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import psycopg2
import pytest
import yaml
from psycopg2 import errors
from typer.testing import CliRunner

from benchmark_tasks.errors import DatabaseUnreachable, PublicationError, SettingsError
from benchmark_tasks.runtimes.server import free_port
from benchmark_tasks.settings import Settings
from expectations import publications
from expectations.cli import app
from expectations.exports import Target, bring_up_to_date
from tests.expectations.publishing import published
from tests.postgres import Postgres, running_postgres

REPOSITORY = Path(__file__).parents[3]
PASSWORD = "it's a p@ss/word?#%"
ODD = {
    "joules": ("double", [0.1 + 0.2, 1e-300, None, math.inf, math.nan]),
    "words": ("varchar", ['quotes " and, commas\nand lines\\', "", None, "NULL", "\\N"]),
    "list": ("varchar[]", [["a", "b,c", '"', "\\", None, "NULL"], [], None, ["{"], [" "]]),
    "edges": ("double[]", [[0.1, 2.0], [], None, [None], [1e-300]]),
    "whole": ("bigint", [1, -(2**62), None, 0, 5]),
    "exact": ("decimal(10,2)", [None, "1.50", "-3.25", "0", "7"]),
    "is_true": ("boolean", [True, False, None, True, False]),
    "day": ("date", ["2026-11-29", None, "0001-01-01", "1999-12-31", "2000-02-29"]),
    "moment": ("timestamptz", ["2026-11-29 01:02:03.456789+00", None, "1969-01-01 00:00:00+00", None, None]),
    "made_of": ("struct(a integer, b varchar)", [{"a": 1, "b": "x"}, None, None, None, None]),
}


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with running_postgres(free_port(), "plain") as postgres:
        ask(postgres.url(), "alter role airflow password %s", [PASSWORD])
        yield replace(postgres, password=PASSWORD)


@pytest.fixture
def url(server: Postgres) -> Iterator[str]:
    """An empty database: the schema of the test before, and what stands on it, is gone."""
    yield server.url()
    ask(server.url(), "drop schema if exists jouleboard cascade; drop schema if exists bi cascade")


@pytest.fixture
def settings(tmp_path: Path, url: str) -> Settings:
    return Settings(home=tmp_path / "home", publish_to=url)


def ask(url: str, sql: str, values: Any = None) -> list[tuple[Any, ...]]:
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall() if cursor.description else []


def odd_cells() -> list[str]:
    columns = ", ".join(f'"{name}" {kind}' for name, (kind, _) in ODD.items())
    rows = zip(*(values for _, values in ODD.values()), strict=True)
    listed = ", ".join(f"({', '.join(_sql(value) for value in row)})" for row in rows)
    return [
        f"create table marts.odd (number integer, {columns})",
        f"insert into marts.odd select row_number() over (), * from (values {listed})",
        "comment on table marts.odd is 'Odd cells; it''s all of them.'",
        "comment on column marts.odd.joules is 'Joules, at most.'",
    ]


def _sql(value: Any) -> str:
    match value:
        case None:
            return "null"
        case list():
            return f"[{', '.join(map(_sql, value))}]"
        case dict():
            return f"{{{', '.join(f'{name}: {_sql(each)}' for name, each in value.items())}}}"
        case float() if not math.isfinite(value):
            return f"'{value}'::double"
        case bool() | int() | float():
            return repr(value)
    return "'" + str(value).replace("'", "''") + "'"


def test_every_cell_arrives_with_its_type(settings: Settings, tmp_path: Path, url: str) -> None:
    item = published(settings, tmp_path, *odd_cells())
    line = bring_up_to_date(settings, item)
    assert line is not None and line.startswith("copied publication 1 to PostgreSQL 127.0.0.1:")
    assert line.endswith("schema jouleboard: 6 marts, 8 rows")
    with duckdb.connect(str(item.database), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        expected = connection.sql("from marts.odd order by number").fetchall()
    found = ask(f"{url}?options=-c%20timezone%3DUTC", "select * from jouleboard.odd order by number")
    assert [repr(row) for row in found] == [repr(row) for row in expected] or [
        _plain(row) for row in found
    ] == [_plain(row) for row in expected]
    types = dict(
        ask(
            url,
            "select attname, format_type(atttypid, atttypmod) from pg_attribute where attrelid ="
            " 'jouleboard.odd'::regclass and attnum > 0",
        )
    )
    assert types == {
        "number": "bigint" if types["number"] == "bigint" else "integer",
        "joules": "double precision", "words": "text", "list": "text[]", "edges": "double precision[]",
        "whole": "bigint", "exact": "numeric(10,2)", "is_true": "boolean", "day": "date",
        "moment": "timestamp with time zone", "made_of": "jsonb",
    }  # fmt: skip
    assert ask(url, "select publication_number, marts from jouleboard.copied_publication") == [
        (1, sorted(item.rows))
    ]


def _plain(row: tuple[Any, ...]) -> list[str]:
    return [value.isoformat() if hasattr(value, "isoformat") else repr(value) for value in row]


def test_tables_and_columns_have_their_comments(settings: Settings, tmp_path: Path, url: str) -> None:
    bring_up_to_date(settings, published(settings, tmp_path, *odd_cells()))
    comment = (
        "select obj_description('jouleboard.odd'::regclass), col_description('jouleboard.odd'::regclass, 2)"
    )
    assert ask(url, comment) == [("Odd cells; it's all of them.", "Joules, at most.")]
    changed = [
        *odd_cells(),
        "comment on table marts.odd is null",
        "comment on column marts.odd.joules is 'J'",
    ]
    bring_up_to_date(settings, published(settings, tmp_path, *changed))
    assert ask(url, comment) == [(None, "J")]


def test_the_reader_reads_and_does_nothing_else(settings: Settings, tmp_path: Path, server: Postgres) -> None:
    bring_up_to_date(settings, published(settings, tmp_path))
    reader = server.url(options="-c role=jouleboard_reader")
    assert ask(reader, "select count(*) from jouleboard.leaderboard") == [(3,)]
    for statement in (
        "delete from jouleboard.leaderboard",
        "update jouleboard.leaderboard set batch_size = 1",
        "insert into jouleboard.run_log values (1)",
        "drop table jouleboard.leaderboard",
        "create table jouleboard.mine (a integer)",
    ):
        with pytest.raises(errors.InsufficientPrivilege):
            ask(reader, statement)
    assert ask(server.url(), "select rolcanlogin from pg_roles where rolname = 'jouleboard_reader'") == [
        (False,)
    ]


def test_views_of_others_survive_and_show_what_is_new(settings: Settings, tmp_path: Path, url: str) -> None:
    bring_up_to_date(settings, published(settings, tmp_path))
    ask(
        url,
        "create schema bi; grant select on jouleboard.leaderboard to pg_monitor;"
        " create view bi.best as select min(energy_per_output_joules) as joules, count(*) as rows"
        " from jouleboard.leaderboard; create materialized view bi.kept as select * from bi.best",
    )
    more = "alter table marts.leaderboard add column watts double"
    bring_up_to_date(settings, published(settings, tmp_path, more, rows=7))
    assert ask(url, "select * from bi.best") == [(3.0, 7)]
    ask(url, "refresh materialized view bi.kept")
    assert ask(url, "select rows from bi.kept") == [(7,)]
    assert ask(url, "select count(watts), count(*) from jouleboard.leaderboard") == [(0, 7)]
    assert ask(url, "select has_table_privilege('pg_monitor', 'jouleboard.leaderboard', 'select')") == [
        (True,)
    ]


def test_what_is_no_longer_published_is_dropped_unless_a_view_reads_it(
    settings: Settings, tmp_path: Path, url: str
) -> None:
    two = (
        "create table marts.one as select 1 as a, 2 as b",
        "create table marts.two as select 1 as a, 2 as b",
    )
    bring_up_to_date(settings, published(settings, tmp_path, *two))
    ask(url, "create schema bi; create view bi.uses as select a from jouleboard.one")
    gone = ("create table marts.one as select 3 as b", "create table marts.two as select 3 as b")
    line = bring_up_to_date(settings, published(settings, tmp_path, *gone))
    assert (
        line is not None
        and "one.a is no longer published; it stays, empty, as " in line
        and "bi.uses" in line
    )
    assert ask(url, "select a, b from jouleboard.one") == [(None, 3)]
    assert ask(url, "select * from jouleboard.two") == [(3,)]
    assert "No longer published" in ask(url, "select col_description('jouleboard.one'::regclass, 1)")[0][0]
    line = bring_up_to_date(settings, published(settings, tmp_path))
    assert line is not None and "one is no longer published" in line and "two" not in line
    assert ask(url, "select * from bi.uses") == []
    assert ask(url, "select to_regclass('jouleboard.two')") == [(None,)]
    bring_up_to_date(settings, published(settings, tmp_path, *two))
    assert ask(url, "select * from bi.uses") == [(1,)]


def test_another_type_is_refused_while_a_view_reads_the_column(
    settings: Settings, tmp_path: Path, url: str
) -> None:
    bring_up_to_date(settings, published(settings, tmp_path))
    ask(url, "create schema bi; create view bi.uses as select batch_size from jouleboard.leaderboard")
    change = "alter table marts.leaderboard alter batch_size type varchar"
    item = published(settings, tmp_path, change, rows=9)
    with pytest.raises(
        PublicationError, match=r"leaderboard.batch_size is now text, not integer, but .*bi.uses"
    ):
        bring_up_to_date(settings, item)
    assert ask(url, "select count(*) from bi.uses") == [(3,)]
    ask(url, "drop view bi.uses")
    bring_up_to_date(settings, item)
    assert ask(url, "select max(batch_size) from jouleboard.leaderboard") == [("9",)]


def test_readers_see_the_old_marts_or_the_new_ones_and_never_wait(
    settings: Settings, tmp_path: Path, url: str
) -> None:
    """Each publication has its number in every row of every mart: a mix would show two numbers."""
    marks = [
        [f"insert into marts.{name} values ({number})" for name in ("run_log", "quarantine")]
        for number in range(1, 5)
    ]
    bring_up_to_date(settings, published(settings, tmp_path, *marks[0], rows=500))
    seen: set[tuple[Any, ...]] = set()
    failed: list[Exception] = []
    over = threading.Event()

    def read() -> None:
        one = (
            "select (select min(floor(energy_per_output_joules - batch_size)) from jouleboard.leaderboard),"
            " (select max(number) from jouleboard.run_log), (select max(number) from jouleboard.quarantine),"
            " (select publication_number from jouleboard.copied_publication)"
        )
        try:
            while not over.is_set():
                seen.update(ask(f"{url}?options=-c%20lock_timeout%3D500", one))
        except psycopg2.Error as error:
            failed.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for thread in readers:
        thread.start()
    for mark in marks[1:]:
        bring_up_to_date(settings, published(settings, tmp_path, *mark, rows=500))
    over.set()
    for thread in readers:
        thread.join()
    assert failed == []
    assert len(seen) > 1
    assert {len(set(row)) for row in seen} == {1}


def test_an_open_transaction_keeps_its_state_and_does_not_hold_up_a_copy(
    settings: Settings, tmp_path: Path, url: str
) -> None:
    bring_up_to_date(settings, published(settings, tmp_path))
    with closing(psycopg2.connect(url)) as reader, reader.cursor() as cursor:
        cursor.execute("set transaction isolation level repeatable read")
        cursor.execute("select count(*) from jouleboard.leaderboard")
        bring_up_to_date(settings, published(settings, tmp_path, rows=8))
        cursor.execute("select (select count(*) from jouleboard.leaderboard), publication_number from"
                       " jouleboard.copied_publication")  # fmt: skip
        assert cursor.fetchall() == [(3, 1)]
    assert ask(url, "select count(*) from jouleboard.leaderboard") == [(8,)]


def test_readers_that_hold_a_table_whose_columns_change_are_waited_for_and_not_for_ever(
    settings: Settings, tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("expectations.exports.postgresql.LOCK_SECONDS", 1)
    bring_up_to_date(settings, published(settings, tmp_path))
    item = published(settings, tmp_path, "alter table marts.run_log add column more integer")
    with closing(psycopg2.connect(url)) as reader, reader.cursor() as cursor:
        cursor.execute("select * from jouleboard.run_log")
        with pytest.raises(DatabaseUnreachable, match="for 1 s readers held a table whose columns change"):
            bring_up_to_date(settings, item)
    assert bring_up_to_date(settings, item)


def test_a_copy_that_is_cut_off_at_any_statement_leaves_the_last_one(
    settings: Settings, tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server ends the session before one statement, as a restart or a lost network does."""
    from expectations.exports import postgresql

    bring_up_to_date(settings, published(settings, tmp_path))
    ask(url, "create schema bi; create view bi.mine as select * from jouleboard.leaderboard")
    before = everything(url)
    item = published(settings, tmp_path, "create table marts.new as select 1 as a", rows=9)
    real, left = postgresql._connected, 0

    class Cut(psycopg2.extensions.cursor):
        def execute(self, *arguments: Any) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                ask(url, "select pg_terminate_backend(%s)", [self.connection.info.backend_pid])
            super().execute(*arguments)

    def connected(target: Target) -> Any:
        connection = real(target)
        connection.cursor_factory = Cut
        return connection

    monkeypatch.setattr(postgresql, "_connected", connected)
    for cut in range(1, 1000, 3):
        left = cut
        try:
            line = bring_up_to_date(settings, item)
        except DatabaseUnreachable as error:
            assert "readers there keep the last copy" in str(error)
            assert everything(url) == before
        else:
            break
    assert cut > 20 and left > 0 and line is not None
    assert ask(url, "select count(*) from bi.mine") == [(9,)]


def everything(url: str) -> list[tuple[str, str]]:
    """Every row of every table of the schema, as text."""
    rows = (
        "query_to_xml('select * from jouleboard.' || quote_ident(relname) || ' order by 1', true, false, '')"
    )
    tables = "from pg_class where relnamespace = 'jouleboard'::regnamespace order by relname"
    return [(name, text) for name, text in ask(url, f"select relname, {rows}::text {tables}")]


def test_a_schema_that_others_use_is_left_alone(settings: Settings, tmp_path: Path, url: str) -> None:
    ask(url, "create schema jouleboard; create table jouleboard.mine as select 1 as a")
    item = published(settings, tmp_path)
    with pytest.raises(PublicationError, match=r"holds something of others \(mine\)"):
        bring_up_to_date(settings, item)
    assert ask(url, "select relname, (select a from jouleboard.mine) from pg_class"
                    " where relnamespace = 'jouleboard'::regnamespace") == [("mine", 1)]  # fmt: skip
    ask(url, "drop table jouleboard.mine")
    bring_up_to_date(settings, item)
    ask(url, "create view jouleboard.new as select 7 as a")
    with pytest.raises(PublicationError, match="has a new that is not Jouleboard's"):
        bring_up_to_date(settings, published(settings, tmp_path, "create table marts.new as select 1 as a"))
    assert ask(url, "select a, publication_number from jouleboard.new, jouleboard.copied_publication") == [
        (7, 1)
    ]


def test_a_login_that_may_make_no_role_is_told_so(
    settings: Settings, tmp_path: Path, server: Postgres
) -> None:
    ask(server.url(), "create role publisher; create schema plain authorization publisher")
    own = Settings(home=settings.home, publish_to=server.url(schema="plain", options="-c role=publisher"))
    line = bring_up_to_date(own, published(own, tmp_path))
    assert line is not None and "may not make the role plain_reader: create it" in line
    ask(server.url(), "create role plain_reader")
    assert bring_up_to_date(own, publications.require_current(own), always=True)
    reader = server.url(options="-c role=plain_reader")
    assert ask(reader, "select count(*) from plain.leaderboard") == [(3,)]


def test_every_query_of_the_dashboards_runs(settings: Settings, tmp_path: Path, url: str) -> None:
    """Metabase's, Grafana's and Superset's dashboards, on marts with the columns of their contracts."""
    marts = [
        mart
        for path in (REPOSITORY / "dbt_project" / "models" / "marts").rglob("*.yml")
        for mart in yaml.safe_load(path.read_text()).get("models", [])
    ]
    tables = [
        f"create or replace table marts.{mart['name']} ("
        + ", ".join(f"{column['name']} {column['data_type']}" for column in mart["columns"])
        + ")"
        for mart in marts
    ]
    bring_up_to_date(settings, published(settings, tmp_path, *tables))
    queries = dashboard_queries()
    assert len(queries) == 14
    for query in queries:
        ask(url, query)


def dashboard_queries() -> list[str]:
    """Every query of the three dashboards, with Grafana's variables filled in."""
    folder = REPOSITORY / "docs" / "bi"
    grafana = json.loads((folder / "grafana-dashboard.json").read_text())
    metabase = json.loads((folder / "metabase-dashboard.json").read_text())
    superset = [
        yaml.safe_load(path.read_text()) for path in (folder / "superset" / "datasets").rglob("*.yaml")
    ]
    found = [variable["query"] for variable in grafana["templating"]["list"][1:]]
    found += [target["rawSql"] for panel in grafana["panels"] for target in panel["targets"]]
    found += [card["dataset_query"]["native"]["query"] for card in metabase["cards"]]
    found += [data_set["sql"] for data_set in superset]
    return [re.sub(r"\$\{\w+:sqlstring\}", "'a', 'b'", query) for query in found]


def test_as_commands(
    settings: Settings, tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch, server: Postgres
) -> None:
    monkeypatch.setenv("JOULEBOARD_HOME", str(settings.home))
    published(settings, tmp_path)
    published(settings, tmp_path, rows=5)
    call = CliRunner().invoke
    unset = call(app, ["export", "postgresql"])
    assert isinstance(unset.exception, SettingsError)
    monkeypatch.setenv("JOULEBOARD_PUBLISH_TO", url)
    done = call(app, ["export", "postgresql"])
    assert done.exit_code == 0 and done.stdout.startswith("copied publication 2 to PostgreSQL 127.0.0.1")
    done = call(app, ["publications", "rollback", "1", "--json"])
    assert done.exit_code == 0 and "copied publication 1" in done.stderr
    assert ask(url, "select count(*) from jouleboard.leaderboard") == [(3,)]
    monkeypatch.setenv("JOULEBOARD_PUBLISH_TO", url.replace("airflow:", "nobody:"))
    failed = call(app, ["publications", "rollback", "2"])
    assert isinstance(failed.exception, DatabaseUnreachable)
    assert failed.stdout == "publication 2 is current\n"
    assert "publication 2 is current, but not copied" in str(failed.exception)
    assert PASSWORD not in str(failed.exception)


def test_as_a_task_it_is_skipped_when_there_is_nothing_to_copy(
    settings: Settings, tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    from jouleboard_airflow.tasks.releases import copy_to_database

    monkeypatch.setattr("benchmark_tasks.processes.die_with_parent", lambda *_: None)
    monkeypatch.setenv("JOULEBOARD_HOME", str(settings.home))
    monkeypatch.setenv("JOULEBOARD_PUBLISH_TO", url)
    with pytest.raises(AirflowSkipException):
        copy_to_database()
    published(settings, tmp_path)
    assert copy_to_database().startswith("copied publication 1")
    with pytest.raises(AirflowSkipException):
        copy_to_database()
    published(settings, tmp_path)
    assert copy_to_database().startswith("copied publication 2")
    monkeypatch.delenv("JOULEBOARD_PUBLISH_TO")
    with pytest.raises(AirflowSkipException):
        copy_to_database()


@pytest.mark.parametrize(
    "address",
    [
        "secret",
        "mysql://u:secret@host/db",
        "postgresql://u:secret@host",
        "postgresql://u:se/cret@host/db",
        "postgresql://u:1/cret@host/db",
        "postgresql://u:se@cret@host/db",
        "postgresql://u:se#cret@host/db",
        "postgresql://u:se?cret@host/db",
        "postgresql://u:secret@host/db?secret",
        "postgresql://u:secret@host/db?nothing=secret",
        "postgresql://u:secret@[::1/db",
        "postgresql://u:secret@host:port/db",
        "postgresql://u:secret@host/db?schema=public",
        "postgresql://u:secret@host/db?schema=pg_secret",
        "postgresql://u:secret@host/db?schema=a;drop",
        "postgresql://u:secret@host/db?schema=",
    ],
)
def test_an_address_that_cannot_be_used_is_one_line_without_the_password(address: str) -> None:
    with pytest.raises(SettingsError, match=r"^JOULEBOARD_PUBLISH_TO") as caught:
        Target.parse(address)
    assert "\n" not in str(caught.value) and "cret" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_target_shows_no_password() -> None:
    target = Target.parse("postgresql://me:secret@db.example:5433/bi?schema=energy&sslmode=require")
    assert target.name == "PostgreSQL db.example:5433/bi, schema energy"
    assert target.address == "postgresql://me:secret@db.example:5433/bi?sslmode=require"
    assert "secret" not in repr(target)
