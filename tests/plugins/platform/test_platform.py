"""Starting and stopping the platform, as far as it needs no Airflow; with all of it: `tests/e2e`."""

from __future__ import annotations

import configparser
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmark_tasks.errors import JouleboardError, PortInUse, SettingsError
from benchmark_tasks.processes import PLATFORM_MARK
from benchmark_tasks.settings import Settings
from jouleboard_airflow.platform import commands, components
from jouleboard_airflow.platform.components import Component, Record, Started
from jouleboard_airflow.platform.configuration import write_configuration
from jouleboard_airflow.platform.installation import Installation

DATABASE = "postgresql+psycopg2://airflow:password@127.0.0.1:5432/airflow"
SLEEPER = [sys.executable, "-c", "import sys; print('up', flush=True); sys.stdin.read()"]


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(Settings(home=tmp_path / "home"), 8080)


def sleeper(environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """A process in a session of its own that waits until it is killed."""
    process = subprocess.Popen(
        SLEEPER, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    return process


def test_secrets_are_made_once_and_only_the_owner_reads_them(installation: Installation) -> None:
    write_configuration(installation, DATABASE, num_gpus=0)
    first = installation.secrets(), installation.password()
    write_configuration(installation, DATABASE, num_gpus=0)
    assert (installation.secrets(), installation.password()) == first
    assert len(installation.secrets().jwt_secret) >= 64
    for name in ("airflow.cfg", "secrets.json", "passwords.json"):
        assert stat.S_IMODE((installation.home / name).stat().st_mode) == 0o600


def test_no_secret_is_in_the_environment_of_what_is_started(installation: Installation) -> None:
    write_configuration(installation, DATABASE, num_gpus=0)
    values = set(installation.environment().values())
    own = installation.secrets()
    secrets = {own.fernet_key, own.jwt_secret, own.api_secret_key, own.database_password}
    assert values.isdisjoint(secrets | {installation.password()})


def test_the_platform_listens_on_loopback_and_nothing_phones_home(installation: Installation) -> None:
    write_configuration(installation, DATABASE, num_gpus=2)
    configuration = configparser.ConfigParser(interpolation=None)
    configuration.read(installation.home / "airflow.cfg")
    assert configuration["api"]["host"] == "127.0.0.1"
    assert configuration["core"]["load_examples"] == "False"
    environment = installation.environment()
    assert environment["DO_NOT_TRACK"] == "1"
    assert environment["DBT_SEND_ANONYMOUS_USAGE_STATS"] == environment["GX_ANALYTICS_ENABLED"] == "false"


def test_a_damaged_secrets_file_is_named(installation: Installation) -> None:
    installation.home.mkdir(parents=True)
    (installation.home / "secrets.json").write_text("{")
    with pytest.raises(SettingsError, match=r"secrets\.json: not valid JSON; remove it"):
        installation.secrets()


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    with pytest.raises(SettingsError, match=f"JOULEBOARD_PORT={port}: not a port"):
        Installation.from_environment({"JOULEBOARD_PORT": port})


def test_a_port_in_use_is_one_line_and_nothing_is_started(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        variables = {**os.environ, "JOULEBOARD_HOME": str(tmp_path / "home"), "JOULEBOARD_PORT": str(port)}
        variables["PYTHONPATH"] = str(Path(commands.__file__).parents[2])
        command = [sys.executable, "-m", "jouleboard_airflow.platform", "up"]
        answer = subprocess.run(
            command, env=variables, capture_output=True, text=True, timeout=60, check=False
        )
    assert answer.returncode == PortInUse.exit_code
    assert answer.stderr == (
        f"error: port {port} is in use by another program: stop it, or choose another with JOULEBOARD_PORT\n"
    )
    assert not (tmp_path / "home" / "airflow" / "postgres").exists()


def test_a_recycled_pid_is_not_taken_for_a_component(installation: Installation) -> None:
    installation.home.mkdir(parents=True)
    me = psutil.Process()
    stale = Started(me.pid, me.create_time() - 1)
    components.write_record(installation, Record(8080, {Component.SCHEDULER: stale}))
    assert components.read_record(installation).running == {}
    assert components.stop_all(installation) == 0


@pytest.mark.parametrize("content", ["", "{", "[]", '{"port": 1}', '{"port": 1, "components": {"x": {}}}'])
def test_a_record_that_a_crash_damaged_counts_as_none(installation: Installation, content: str) -> None:
    installation.home.mkdir(parents=True)
    (installation.home / "platform.json").write_text(content)
    assert components.read_record(installation) is None


def test_down_also_ends_what_lost_its_parent(installation: Installation) -> None:
    own = sleeper(installation.environment())
    foreign = sleeper({**installation.environment(), PLATFORM_MARK: "another installation"})
    try:
        commands.down(installation, say=lambda line: None)
        assert not psutil.pid_exists(own.pid)
        assert foreign.poll() is None
    finally:
        foreign.kill()
        foreign.wait(10)
        for process in (own, foreign):
            for pipe in (process.stdin, process.stdout):
                assert pipe is not None
                pipe.close()


def test_two_commands_do_not_meet(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(components, "LOCK_SECONDS", 0.0)
    with components.exclusive(installation), pytest.raises(JouleboardError, match="wait for it to finish"):
        commands.down(installation, say=lambda line: None)


def test_a_component_that_dies_is_named_with_its_last_lines(
    installation: Installation, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "prepare", lambda installation, say: None)
    monkeypatch.setattr(commands, "check_port", lambda port: None)
    installation = replace(installation, database_folder=open_folder / "postgres")
    script = "import sys; sys.exit('no such table: dag')"
    monkeypatch.setattr(Component, "command", [sys.executable, "-c", script])
    installation.component_logs.mkdir(parents=True)
    with pytest.raises(
        JouleboardError, match=r"died while it started; its log is .*\n    no such table: dag"
    ):
        commands.up(installation, say=lambda line: None)
    assert components.descendants(installation) == []
    assert not (installation.home / "platform.json").exists()


def platform(home: str, *command: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """A command as `make` runs it."""
    variables = {**os.environ, "JOULEBOARD_HOME": home, "PYTHONPATH": str(Path(commands.__file__).parents[2])}
    return subprocess.run(
        [sys.executable, "-m", "jouleboard_airflow.platform", *command],
        env=variables,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


@pytest.mark.parametrize("command", ["up", "down", "status", "run"])
def test_a_home_that_cannot_be_made_is_one_line(tmp_path: Path, command: str) -> None:
    (tmp_path / "file").touch()
    answer = platform(str(tmp_path / "file" / "home"), command, stdout=subprocess.DEVNULL)
    assert answer.returncode == 1
    assert answer.stderr == (
        f"error: JOULEBOARD_HOME={tmp_path / 'file' / 'home'} cannot be made (Not a directory): "
        "name a folder that you may write\n"
    )


@pytest.mark.parametrize("name", ["a $HOME", "100%"])
def test_a_home_that_airflow_would_read_as_a_variable_is_one_line(tmp_path: Path, name: str) -> None:
    answer = platform(str(tmp_path / name), "up", stdout=subprocess.DEVNULL)
    assert answer.returncode == 1
    assert re.fullmatch(
        r"error: JOULEBOARD_HOME=.*: Airflow reads [$%] .*: name a folder .*\n", answer.stderr
    )
    assert not (tmp_path / name).exists()


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        answer = platform(str(tmp_path / "home"), "status", stdout=write)
    finally:
        os.close(write)
    assert answer.stderr == ""
    assert answer.returncode == 128 + signal.SIGPIPE


def test_what_ran_before_goes_on_when_the_rest_cannot_be_started(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk, for example, makes `up` fail: it must not stop what still works."""
    script = "import sys; sys.exit('no space left')"
    monkeypatch.setattr(Component, "command", [sys.executable, "-S", "-c", script])
    monkeypatch.setattr(commands, "prepare", lambda installation, say: None)
    monkeypatch.setattr(commands, "check_port", lambda port: None)
    installation.component_logs.mkdir(parents=True)
    ran = sleeper(installation.environment())
    try:
        database = components.started(ran.pid)
        record = Record(installation.port, {Component.DATABASE: database})
        components.write_record(installation, record)
        with pytest.raises(JouleboardError, match="no space left"):
            commands.up(installation, say=lambda line: None)
        assert ran.poll() is None
        assert components.read_record(installation) == record
    finally:
        ran.communicate()
