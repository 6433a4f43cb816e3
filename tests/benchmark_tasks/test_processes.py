"""Nothing outlives its owner: shown by killing owners."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import psutil
import pytest

from benchmark_tasks import processes
from benchmark_tasks.processes import guarded, log_tail
from benchmark_tasks.testing.waiting import until

# A "server" with a child of its own in another session that ignores SIGTERM, as engines have.
STUBBORN = """
import subprocess, sys, time, signal
ignore = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
child = f"import signal, time; {ignore}; print('child up', flush=True); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", child, sys.argv[1]], start_new_session=True)
print("server up", flush=True)
time.sleep(600)
"""
OWNER = """
import os, sys
from pathlib import Path
from benchmark_tasks.processes import guarded
command = [sys.executable, "-c", sys.argv[1], sys.argv[2]]
with guarded(command, log=Path(sys.argv[3]), environment=dict(os.environ)):
    sys.stdin.read()
"""


@pytest.fixture
def tag() -> str:
    return f"tag-{uuid.uuid4()}"


def tagged(tag: str) -> list[psutil.Process]:
    """Living processes that carry the tag in their arguments, the owner and pytest left out."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        line = process.info["cmdline"] or []
        if tag in line and OWNER not in line and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def is_up(log: Path) -> bool:
    return log.exists() and b"child up" in log.read_bytes() and b"server up" in log.read_bytes()


def start_owner(tag: str, log: Path) -> subprocess.Popen[bytes]:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, STUBBORN, tag, str(log)], stdin=subprocess.PIPE)
    until(lambda: is_up(log), what="the server")
    assert len(tagged(tag)) == 3  # guardian, server, its child
    return owner


def test_leaving_the_context_ends_everything(tag: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with guarded([sys.executable, "-c", STUBBORN, tag], log=log, environment=dict(os.environ)):
        until(lambda: is_up(log))
    assert tagged(tag) == []


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_owner_takes_everything_with_it(tag: str, tmp_path: Path, sent: signal.Signals) -> None:
    owner = start_owner(tag, tmp_path / "log")
    owner.send_signal(sent)
    owner.wait(10)
    until(lambda: not tagged(tag), 40, "an empty process table")


def test_a_killed_guardian_takes_the_server_with_it(tag: str, tmp_path: Path) -> None:
    owner = start_owner(tag, tmp_path / "log")
    guardian = next(p for p in tagged(tag) if "benchmark_tasks.runtimes.guardian" in p.info["cmdline"])
    guardian.kill()
    # the server dies at once; its own child is the reaper's business (see test_device_lock)
    until(lambda: all("child up" in " ".join(p.info["cmdline"]) for p in tagged(tag)), 10)
    owner.kill()
    owner.wait(10)
    for process in tagged(tag):
        process.kill()


def test_a_server_that_ends_by_itself_leaves_no_children(tag: str, tmp_path: Path) -> None:
    ends = STUBBORN.replace('time.sleep(600)\n"""', "").rsplit("time.sleep(600)", 1)[0] + "sys.exit(3)"
    with guarded(
        [sys.executable, "-c", ends, tag], log=tmp_path / "log", environment=dict(os.environ)
    ) as process:
        assert process.wait(20) == 3
        assert tagged(tag) == []


def test_orphans_that_end_before_the_command_leave_no_zombies(tmp_path: Path) -> None:
    orphan = "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', '']).pid, flush=True)"
    script = (
        "import subprocess, sys\n"
        f"subprocess.run([sys.executable, '-c', {orphan!r}], check=True)\n"
        "sys.stdin.read()"
    )
    log = tmp_path / "log"
    command = [sys.executable, "-c", f"{script}; import signal; signal.pause()"]
    with guarded(command, log=log, environment=dict(os.environ)):
        (pid,) = until(lambda: log_tail(log))
        until(lambda: not psutil.pid_exists(int(pid)), 20, "no zombie")


def test_the_command_does_not_see_the_guardians_python_path(tmp_path: Path) -> None:
    names = ("PYTHONPATH", "JOULEBOARD_GUARDIAN_PYTHONPATH")
    script = f"import os; print('path', *(os.environ.get(name) for name in {names}))"
    environment = {**os.environ, "PYTHONPATH": "/some/where"}
    with guarded([sys.executable, "-c", script], log=tmp_path / "log", environment=environment) as process:
        process.wait(20)
    assert log_tail(tmp_path / "log") == ("path /some/where None",)


def test_the_guardian_finds_what_it_imports_where_only_a_path_says_where_that_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a host without network, where nothing is installed; called from any working directory."""
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$PYTHONPATH"\n')
    python.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(python))
    monkeypatch.setenv("PYTHONPATH", "/data/site")
    with guarded(["true"], log=tmp_path / "log", environment={"PYTHONPATH": "/a"}, cwd=tmp_path) as process:
        process.wait(20)
    ((package, dependencies),) = (line.split(os.pathsep) for line in log_tail(tmp_path / "log"))
    assert (Path(package) / "benchmark_tasks" / "processes.py").samefile(processes.__file__)
    assert dependencies == "/data/site"


def test_log_tail_of_nothing_and_of_long_lines(tmp_path: Path) -> None:
    assert log_tail(tmp_path / "absent") == ()
    (tmp_path / "log").write_text("a" * 1000 + "\n\n" + "b\n")
    assert log_tail(tmp_path / "log") == ("a" * 300, "b")
