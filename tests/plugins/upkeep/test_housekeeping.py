"""Housekeeping frees what the policy lets go, says so first, and loses nothing published or judged."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import duckdb
import psycopg2
import pyarrow.parquet as pq
import pytest

from benchmark_tasks import catalog
from benchmark_tasks.catalog import Housekeeping
from benchmark_tasks.errors import CatalogError, JouleboardError, LandingZoneUnreachable
from benchmark_tasks.results import cold
from benchmark_tasks.results.store import Store
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.waiting import until
from expectations import publications
from expectations.candidate import profiles
from expectations.gate import intake
from expectations.gate.kept import FOLDER
from jouleboard_airflow.platform import database
from jouleboard_airflow.platform.installation import Installation
from jouleboard_airflow.upkeep import airflow_database, history
from jouleboard_airflow.upkeep.findings import Kind
from jouleboard_airflow.upkeep.housekeeping import Row, housekeeping
from tests.expectations.publishing import publish
from tests.object_store import running_object_store
from tests.plugins.upkeep.conftest import in_child, land_one, write
from tests.plugins.upkeep.test_backup import _killed_at, _steps, tree

NOTHING: dict[str, str] = {}
ARCHIVE = "_airflow_deleted__revoked_token__20250101000000"
"""Of a person who called `airflow db clean`."""
LONG_AGO = (datetime.now(UTC) - timedelta(days=400)).timestamp()


def policy(**sections: object) -> Housekeeping:
    return Housekeeping.model_validate(sections)


def tidy(home: Installation, apply: bool = False, **sections: object) -> dict[Kind, Row]:
    rows = housekeeping(home, apply=apply, policy=policy(**sections), environment=NOTHING)
    return {row.kind: row for row in rows}


def environment(settings: Settings, version: str, used: float = LONG_AGO, distribution: str = "vllm") -> Path:
    path = settings.environments / f"{distribution}-{version}"
    write(path / "bin" / "python", "x" * 100_000)
    record = f'{{"distribution": "{distribution}", "version": "{version}", "packages": {{}}}}'
    write(path / "environment.json", record)
    os.utime(path / "environment.json", (used, used))
    return path


def test_a_dry_run_changes_nothing_and_says_how_much(home: Installation) -> None:
    settings = home.settings
    shutil.rmtree(settings.environments)
    shutil.rmtree(settings.published)
    for version in ("0.9.0", "0.10.0", "0.11.0"):
        environment(settings, version)
    before = {path: path.lstat().st_mtime for path in settings.home.rglob("*") if path.name != ".upkeep.lock"}
    row = tidy(home)[Kind.ENVIRONMENTS]
    assert (row.removable, row.freed_bytes) == (1, 0)
    assert row.removable_bytes > 100_000
    after = {path: path.lstat().st_mtime for path in settings.home.rglob("*") if path.name != ".upkeep.lock"}
    assert after.keys() == before.keys()


def test_environments_of_releases_that_rank_or_are_compared_or_new_or_used_stay(
    home: Installation, candidate: Path, tmp_path: Path
) -> None:
    settings = home.settings
    shutil.rmtree(settings.environments)
    publish(settings, _ranking(candidate, tmp_path), "ranking")
    versions = ("0.1", "0.2", "0.3", "0.4", "0.5", "0.9", "0.10")
    there = {version: environment(settings, version) for version in versions}
    used = environment(settings, "0.0.1", used=time.time())
    half = settings.environments / ".making" / "vllm-0.6.999999999"
    write(half / "python", "half")
    row = tidy(home, apply=True)[Kind.ENVIRONMENTS]
    # 0.4 is the newest of one configuration and is compared with 0.3; 0.2 is that of another, with options.
    left = {version for version, path in there.items() if path.exists()}
    assert left == {"0.2", "0.3", "0.4", "0.9", "0.10"}
    assert used.exists()
    assert not half.exists()
    assert row.freed_bytes > 200_000
    assert tidy(home)[Kind.ENVIRONMENTS].removable == 0


def _ranking(candidate: Path, tmp_path: Path) -> Path:
    copy = shutil.copy(candidate, tmp_path / "ranking.duckdb")
    connection = duckdb.connect(str(copy))
    for column in ("configuration_id", "runtime", "runtime_version"):
        connection.execute(f"alter table marts.leaderboard add column {column} varchar")
    rows = [("a", "0.1"), ("a", "0.3"), ("a", "0.4"), ("b", "0.2+config.7f06"), ("b", "0.1")]
    for number, (configuration, version) in enumerate(rows, 1):
        connection.execute(
            "update marts.leaderboard set configuration_id = ?, runtime = 'vllm', runtime_version = ?"
            " where leaderboard_id = ?",
            [configuration, version, f"id-{number}"],
        )
    connection.execute(
        "create table marts.runtime_version_comparison as select * from (values"
        " ('a', '0.4', '0.3', 1), ('a', '0.4', '0.1', 2), ('a', '0.3', '0.1', 1),"
        " ('b', '0.2+config.7f06', '0.1', 2))"
        " as t(configuration_id, runtime_version, old_runtime_version, versions_back)"
    )
    connection.close()
    return Path(copy)


def test_old_logs_imports_and_publications_go_and_what_others_refer_to_stays(
    home: Installation, candidate: Path
) -> None:
    settings = home.settings
    log = home.home / "logs" / "dag_id=refresh" / "run_id=old" / "attempt=1.log"
    write(log, "old\n")
    for path in (log, log.parent):
        os.utime(path, (LONG_AGO, LONG_AGO))
    for name in ("old", "older"):
        write(settings.imports / "mlenergy-v3" / name / "import.json", "{}")
    publish(settings, candidate, "third")
    publications.roll_back(settings, 1)
    rows = tidy(home, apply=True, imports={"earlier": 0}, publications={"newest": 1})
    assert rows[Kind.TASK_LOGS].removable == 1
    assert [path.name for path in (home.home / "logs" / "dag_id=refresh").iterdir()] == ["run_id=1"]
    assert sorted(path.name for path in (settings.imports / "mlenergy-v3").iterdir()) == ["abc", "current"]
    assert [item.number for item in publications.all_publications(settings)] == [1, 3]
    assert rows[Kind.PUBLICATIONS].freed_bytes > 0
    assert all(publications.verify(settings, item) == [] for item in publications.all_publications(settings))


def evidence(settings: Settings) -> object:
    """Everything that a refresh reads from landed runs."""
    taken = intake.read(settings)
    facts = taken.evidence.to_pylist()
    tables = profiles.gather(taken.bundles, settings.warehouse)
    drawn = [
        sorted(map(str, pq.read_table(tables / f"{name}.parquet").to_pylist())) for name in profiles.TABLES
    ]
    texts = json.dumps([facts, drawn], sort_keys=True)
    return taken.digest, taken.table.to_pylist(), taken.broken, texts


def without_caches(settings: Settings) -> None:
    shutil.rmtree(settings.warehouse / FOLDER, ignore_errors=True)


@pytest.mark.parametrize("kind", ["folder", "object store"])
def test_runs_in_cold_storage_are_judged_as_before(
    home: Installation, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = home.settings
    landed = land_one(settings)
    before = evidence(settings)
    with running_object_store() as server:
        for name, value in server.variables.items():
            monkeypatch.setenv(name, value)
        (tmp_path / "cold").mkdir()
        places = {"folder": f"{tmp_path}/cold", "object store": "s3://landing/cold"}
        raw = {"cold": places[kind], "after_days": 1}
        row = tidy(home, apply=True, raw=raw)[Kind.RAW]
        assert row.freed_bytes == row.removable_bytes > 0
        assert not landed.exists()
        assert evidence(settings) == before  # by what was known of them
        without_caches(settings)
        assert evidence(settings) == before  # by what is fetched back
        assert tidy(home, apply=True, raw=raw)[Kind.RAW].removable == 0
        assert Store(settings.raw).land_copy(write_again(landed, settings)) == _stub(settings, landed)
    without_caches(settings)
    if kind == "folder":
        shutil.rmtree(tmp_path / "cold")
    with pytest.raises(LandingZoneUnreachable, match=r"cold|landing zone"):
        evidence(settings)


def _stub(settings: Settings, landed: Path) -> Path:
    return settings.raw / cold.COLD / landed.relative_to(settings.raw)


def write_again(landed: Path, settings: Settings) -> Path:
    """The same run, from where it was measured."""
    return settings.home.parent / "elsewhere" / landed.name


def test_a_killed_move_loses_nothing_and_goes_on(home: Installation, tmp_path: Path) -> None:
    settings = home.settings
    (tmp_path / "cold").mkdir()
    raw = {"cold": f"{tmp_path}/cold", "after_days": 1}
    before = evidence(settings)
    kept = tmp_path / "kept"
    shutil.copytree(settings.home, kept, symlinks=True)

    def act() -> object:
        return tidy(home, apply=True, raw=raw)

    steps = _steps(act, tmp_path)
    for step in range(max(1, steps - 45), steps + 1, 4):
        shutil.rmtree(settings.home)
        shutil.copytree(kept, settings.home, symlinks=True)
        shutil.rmtree(tmp_path / "cold")
        (tmp_path / "cold").mkdir()
        _killed_at(step, act, tmp_path)
        assert evidence(settings) == before
        assert in_child(act) == 0
        without_caches(settings)
        assert evidence(settings) == before
        assert list(settings.raw.glob("[!.]*/*/0*")) == []


def test_a_damaged_run_and_one_whose_copy_is_damaged_stay_here(home: Installation, tmp_path: Path) -> None:
    settings = home.settings
    landed = land_one(settings)
    (landed / "server.log").write_text("changed")
    (tmp_path / "cold").mkdir()
    with pytest.raises(JouleboardError, match=r"server\.log: changed or truncated"):
        tidy(home, apply=True, raw={"cold": f"{tmp_path}/cold", "after_days": 1})
    assert landed.exists()
    assert len(list(settings.raw.glob("[!.]*/*/0*"))) == 1
    with pytest.raises(JouleboardError, match="is not there: mount or make the folder"):
        land_one(settings)
        tidy(home, apply=True, raw={"cold": f"{tmp_path}/not mounted", "after_days": 1})


@pytest.mark.parametrize("place", ["", "s3://", "s3:/bucket", "file://"])
def test_a_cold_storage_that_is_no_place_is_refused_with_the_policy(settings: Settings, place: str) -> None:
    write(settings.catalog / "housekeeping.yaml", f'raw: {{cold: "{place}"}}\n')
    with pytest.raises(CatalogError, match=r"housekeeping\.yaml.*is no place") as error:
        catalog.load_housekeeping(overlay=settings.catalog)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("place", ["folder", "ftp://nowhere.invalid/x", "nonsense://bucket/x"])
def test_a_cold_storage_of_others_or_of_nobody_gets_nothing(
    home: Installation, tmp_path: Path, place: str
) -> None:
    thesis = write(tmp_path / "documents" / "thesis.txt", "my thesis")
    where = place if "://" in place else str(thesis.parent)
    landed = land_one(home.settings)
    with pytest.raises(JouleboardError, match=r"not empty and holds no bundles|cannot be used|nonsense"):
        tidy(home, apply=True, raw={"cold": where, "after_days": 1})
    assert landed.exists() and list(thesis.parent.iterdir()) == [thesis]
    assert cold.address(home.settings.raw) is None


def test_a_new_cold_storage_must_have_what_the_old_one_has(home: Installation, tmp_path: Path) -> None:
    for name in ("cold", "other"):
        (tmp_path / name).mkdir()
    tidy(home, apply=True, raw={"cold": f"{tmp_path}/cold", "after_days": 1})
    land_one(home.settings)
    with pytest.raises(JouleboardError, match=r"1 runs lie in the cold storage .*: copy them there first"):
        tidy(home, apply=True, raw={"cold": f"{tmp_path}/other", "after_days": 1})
    shutil.copytree(tmp_path / "cold", tmp_path / "other", dirs_exist_ok=True)
    tidy(home, apply=True, raw={"cold": f"{tmp_path}/other", "after_days": 1})
    assert cold.address(home.settings.raw) == f"{tmp_path}/other"


def test_the_shipped_policy_frees_nothing_of_a_young_installation(home: Installation) -> None:
    before = tree(home.settings)
    rows = housekeeping(home, apply=True, environment=NOTHING)
    assert [row.removable for row in rows] == [0] * len(Kind)
    assert tree(home.settings) == before


def test_an_installation_replaces_sections_of_the_policy(settings: Settings) -> None:
    shipped = catalog.load_housekeeping()
    path = write(settings.catalog / "housekeeping.yaml", "raw: {cold: /mnt/cold, after_days: 30}\n")
    own = catalog.load_housekeeping(overlay=settings.catalog)
    assert (own.raw.cold, own.raw.after_days, own.imports) == ("/mnt/cold", 30, shipped.imports)
    path.write_text("raw: {after_days: 0}\n")
    with pytest.raises(CatalogError, match=r"housekeeping.yaml:1: raw.after_days"):
        catalog.load_housekeeping(overlay=settings.catalog)
    path.write_text("row: {after_days: 3}\n")
    with pytest.raises(CatalogError, match=r"housekeeping.yaml:1: row"):
        catalog.load_housekeeping(overlay=settings.catalog)
    assert catalog.load(overlay=settings.catalog).content_hash == catalog.load().content_hash


def test_rows_of_a_dry_run_are_counted_by_table() -> None:
    lines = ("Checking table xcom", "Found 12 rows meeting deletion criteria.", "Checking table log")
    assert airflow_database.counted("\n".join(lines)) == {"xcom": 12}


def test_every_table_that_airflow_cleans_is_cleaned_for_the_dags_that_it_knows() -> None:
    """By `dag_id` DAGs can be left out only of tables that have it, and not of rows where it is empty."""
    from airflow.models import import_all_models
    from airflow.models.base import Base
    from airflow.utils.db_cleanup import config_dict

    import_all_models()
    there = {name: Base.metadata.tables[name] for name in config_dict if name in Base.metadata.tables}
    left_out: set[str] = set()
    waiting = list(airflow_database.OF_RUNS)
    while waiting:
        name = waiting.pop()
        left_out.add(name)
        waiting += config_dict[name].dependent_tables or []
    assert there.keys() - left_out - set(airflow_database.OF_ALL_DAGS) == {"dag", "connection_test_request"}
    for name in left_out - set(airflow_database.OF_ALL_DAGS):
        column = config_dict[name].dag_id_column_name
        assert column is None or not there[name].columns[column].nullable, name


def test_tables_that_could_not_be_cleaned_are_named() -> None:
    lines = "[warning] Encountered error when attempting to clean table 'xcom'. [airflow]\nFound 3 rows"
    assert airflow_database.failed(lines) == {"xcom"}


def test_tables_that_a_killed_cleaning_left_behind_are_removed_and_nobodys_archive(
    home: Installation, open_folder: Path
) -> None:
    """With Airflow's own command on PostgreSQL; killed when rows are moved, before they are removed."""
    here = replace(home, database_folder=open_folder / "database")
    here.component_logs.mkdir(parents=True, exist_ok=True)
    database.make_ready(here)
    with history.answering(here), connected(here) as cursor:
        write(here.home / "airflow.cfg", f"[database]\nsql_alchemy_conn = {database.address(here)}\n")
        cursor.execute("create table revoked_token (jti text primary key, exp timestamptz)")
        cursor.execute("insert into revoked_token values ('old', '2001-01-01'), ('new', now())")
        cursor.execute(f"create table {ARCHIVE} as table revoked_token")

        def moved() -> set[str]:
            cursor.execute("select tablename from pg_tables where tablename ~ 'deleted__'")
            return {name for (name,) in cursor.fetchall()} - {ARCHIVE}

        cursor.execute("begin; lock table revoked_token in share mode")  # may be read, but not changed
        call = (here.environment(), "2020-01-01", ("revoked_token",), "--skip-archive", "--yes")
        cleaning = get_context("fork").Process(target=airflow_database._call, args=call)
        cleaning.start()
        until(moved, 40, "rows that are moved")
        cleaning.kill()
        cleaning.join()
        cursor.execute("rollback")
        left, rows = airflow_database.old_rows(here, 180, NOTHING).removable
        assert (left.what, rows.what) == ("1 tables that a killed clean-up left behind", "1 rows")
        assert left.remove() == left.bytes > 0
        assert moved() == set()
        cursor.execute(f"select count(*) from {ARCHIVE}")
        assert cursor.fetchall() == [(2,)]


@contextmanager
def connected(installation: Installation) -> Iterator[Any]:
    """A cursor of the installation's database."""
    connection = psycopg2.connect(database.address(installation).replace("+psycopg2", ""))
    with closing(connection), connection.cursor() as cursor:
        connection.autocommit = True
        yield cursor
