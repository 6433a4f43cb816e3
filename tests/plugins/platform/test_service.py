"""Services of systemd: their unit files, what they are told, and how they are removed."""

from __future__ import annotations

import asyncio
import configparser
import os
import shutil
import socket
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmark_tasks.settings import Settings
from jouleboard_airflow.platform import commands, gpu_host, service, worker, worker_beat
from jouleboard_airflow.platform.heartbeats import last_beat

ANALYZE = shutil.which("systemd-analyze")
ODD = "o'd %h $HOME dir"
SECRET = 'a"b\\c$d`e %f'


def platform(*arguments: str) -> int:
    return commands.main(list(arguments))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / ODD
    monkeypatch.setenv("JOULEBOARD_HOME", str(home))
    monkeypatch.setenv("JOULEBOARD_WORKER_SECRET", SECRET)
    monkeypatch.setenv("SOMETHING_ELSE", "secret")
    return home


@pytest.mark.parametrize("kind", service.KINDS)
@pytest.mark.parametrize("user", ["root", None])
def test_systemd_accepts_the_unit(tmp_path: Path, kind: str, user: str | None) -> None:
    """Also where the home's name has characters that mean something to systemd."""
    file = tmp_path / f"{service.KINDS[kind]}.service"
    file.write_text(service.unit(kind, Settings(tmp_path / ODD), tmp_path / ODD / "x.env", user))
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(file)
    assert parser["Service"]["WatchdogSec"]
    assert parser["Service"]["EnvironmentFile"] == f"{tmp_path / ODD / 'x.env'}".replace("%", "%%")
    assert ("ProtectSystem" in parser["Service"]) == (user is not None)
    assert not {"PrivateDevices", "MemoryDenyWriteExecute", "DevicePolicy"} & set(parser["Service"])
    if ANALYZE:
        place = ["--user"] if user is None else []
        said = subprocess.run(
            [ANALYZE, *place, "verify", file],
            env=os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        ours = [line for line in said.stderr.splitlines() if file.name in line]
        assert (said.returncode, ours) == (0, [])


def test_a_service_gets_the_settings_of_the_shell_and_nothing_else(home: Path, tmp_path: Path) -> None:
    assert platform("install-service", "gpu-worker", "--units", str(tmp_path / "units")) == 0
    file = home / "jouleboard-gpu-worker.env"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    variables = as_a_shell_reads(file)
    assert variables["JOULEBOARD_WORKER_SECRET"] == SECRET
    assert variables["JOULEBOARD_HOME"] == str(home)
    assert "SOMETHING_ELSE" not in variables
    unit = (tmp_path / "units" / "jouleboard-gpu-worker.service").read_text()
    assert SECRET not in unit
    assert platform("uninstall-service", "gpu-worker", "--units", str(tmp_path / "units")) == 0
    assert not file.exists()
    assert list((tmp_path / "units").iterdir()) == []
    assert platform("uninstall-service", "gpu-worker", "--units", str(tmp_path / "units")) == 0


@pytest.mark.skipif(Path("/run/systemd/system").is_dir(), reason="systemd runs here")
def test_without_systemd_it_is_one_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert platform("install-service") == 1
    said = capsys.readouterr().err
    assert said.startswith("error: systemd does not run here: `make up` starts")
    assert said.count("\n") == 1
    assert not home.exists()


def as_a_shell_reads(file: Path) -> dict[str, str]:
    """The variables of a file; systemd follows the shell's rules for double quotes."""
    script = ["env", "-i", "sh", "-c", 'set -a; . "$0"; exec env -0', str(file)]
    said = subprocess.run(script, capture_output=True, text=True, timeout=10, check=True).stdout
    return dict(entry.split("=", 1) for entry in said.split("\0") if entry)


@contextmanager
def notified(monkeypatch: pytest.MonkeyPatch, address: str) -> Iterator[socket.socket]:
    """The socket on which systemd listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(address.replace("@", "\0", 1) if address.startswith("@") else address)
        receiver.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        yield receiver


@pytest.mark.parametrize("address", ["socket", f"@jouleboard-test-{os.getpid()}"], ids=["file", "abstract"])
def test_a_workers_heartbeat_reaches_this_host_and_systemd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    with notified(monkeypatch, address) as receiver:
        assert asyncio.run(worker_beat.beat()) == {}
        assert receiver.recv(1000) == b"READY=1\nWATCHDOG=1"
    assert last_beat(tmp_path / worker_beat.BEAT) is not None
    asyncio.run(worker_beat.beat())  # nobody listens any more


def test_the_edge_worker_finds_the_heartbeat_as_airflow_imports_it(tmp_path: Path) -> None:
    variables = {"JOULEBOARD_CONTROL_PLANE": "http://h", "JOULEBOARD_WORKER_SECRET": "s" * 64}
    variables |= {"JOULEBOARD_QUEUE": "q", "JOULEBOARD_HOME": str(tmp_path)}
    joined = gpu_host.read(worker.parse([]), variables)
    module, name = joined.environment({})["AIRFLOW__EDGE__EXTENDED_SYSTEM_INFO_FUNCTION"].rsplit(".", 1)
    assert getattr(__import__(module, fromlist=[name]), name) is worker_beat.beat


def test_status_of_a_gpu_host_is_its_workers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "o'd dir"
    monkeypatch.setenv("JOULEBOARD_HOME", str(home))
    worker_home = home / "worker"
    worker_home.mkdir(parents=True)
    monkeypatch.setenv("AIRFLOW_HOME", str(worker_home))
    asyncio.run(worker_beat.beat())
    assert platform("status") == 1
    assert "gpu-worker     does not run; `make gpu-worker` starts it" in capsys.readouterr().out
    variables = {"JOULEBOARD_CONTROL_PLANE": "http://h", "JOULEBOARD_WORKER_SECRET": "s" * 64}
    variables |= {"JOULEBOARD_QUEUE": "q", "JOULEBOARD_HOME": str(home)}
    with worker.take_place(gpu_host.read(worker.parse([]), variables)):
        assert platform("status") == 0
        assert "gpu-worker     works: heartbeat " in capsys.readouterr().out
        os.utime(worker_home / worker_beat.BEAT, (0, 0))
        assert platform("status") == 1
        assert "gpu-worker     hangs" in capsys.readouterr().out
