"""Child processes that cannot outlive their owner.

Linux has two means: a parent-death signal (a process ends with its parent) and the child subreaper
(a process becomes the parent of orphaned descendants). `guardian.py` uses both, so that even `kill -9` of the
measuring process leaves no model server on a GPU.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

_OURS = (
    *("AIRFLOW", "_AIRFLOW", "POSTGRES_", "PGPASSWORD", "AWS_"),
    *("JOULEBOARD_WORKER_SECRET", "JOULEBOARD_NOTIFY", "JOULEBOARD_PUBLISH_TO"),
)
_HUB_TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")

PLATFORM_MARK = "JOULEBOARD_PLATFORM"
"""Environment variable that marks every process of an installation, by its token."""

PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
LOOPBACK = ("localhost", "127.0.0.1", "::1")

STOP_SECONDS = 20.0
KILL_SECONDS = 10.0


def collect_garbage_rarely() -> None:
    """Let Python look for garbage less often in this process.

    Airflow, dbt and Great Expectations make hundreds of thousands of objects that stay, and each search looks
    through them again.
    """
    gc.set_threshold(50_000, 20, 100)


def without_secrets(variables: Mapping[str, str]) -> dict[str, str]:
    """Variables for a child process that runs other people's code: none of our keys, no token of the hub."""
    return {
        name: value
        for name, value in variables.items()
        if not name.startswith(_OURS) and name not in _HUB_TOKENS
    }


def beside_proxies(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables, with this machine's own addresses never behind a proxy.

    Both spellings of NO_PROXY say so: clients differ in which one they read.
    """
    named = ",".join(filter(None, (variables.get("no_proxy"), variables.get("NO_PROXY")))).split(",")
    hosts = ",".join(dict.fromkeys([*(host.strip() for host in named if host.strip()), *LOOPBACK]))
    if "*" in hosts.split(","):  # all hosts, if it stands alone
        hosts = "*"
    return {**variables, "NO_PROXY": hosts, "no_proxy": hosts}


def die_with_parent(sent: signal.Signals = signal.SIGTERM) -> None:
    """Ask the kernel to send `sent` to this process when the thread that started it ends."""
    _prctl(_PR_SET_PDEATHSIG, sent)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


@contextlib.contextmanager
def guarded(
    command: Sequence[str], *, log: Path, environment: Mapping[str, str], cwd: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command` (a list, never a shell) under a guardian; output goes to `log`.

    On leaving, whatever happened, the command and all its descendants are gone.
    """
    guardian = [sys.executable, "-m", "benchmark_tasks.runtimes.guardian", str(os.getpid()), "--", *command]
    with log.open("ab") as output:
        process = subprocess.Popen(
            guardian,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_with_this_package(environment),
            cwd=cwd,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    """End a guardian and everything under it: SIGTERM, then SIGKILL to every descendant."""
    tree = descendants(process.pid)
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS + KILL_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(KILL_SECONDS)
    kill_all(tree)


def descendants(pid: int) -> list[psutil.Process]:
    """Every live descendant of a process; empty when it is gone."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def kill_all(processes: Sequence[psutil.Process]) -> None:
    """SIGKILL those that still run and wait until they are gone."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=KILL_SECONDS)


def log_tail(log: Path, lines: int = 20) -> tuple[str, ...]:
    """The last non-empty lines of a log, each cut to 300 characters; empty when there is no log."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 64_000))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ()
    return tuple(line[:300] for line in text.splitlines() if line.strip())[-lines:]


def new_lines(file: Path, read: int) -> tuple[list[bytes], int]:
    """The whole lines of a growing file after its first `read` bytes, and how many bytes are read now."""
    with file.open("rb") as opened:
        opened.seek(read)
        whole, _, _ = opened.read().rpartition(b"\n")
    return whole.splitlines(), read + len(whole) + 1 if whole else read


def _with_this_package(environment: Mapping[str, str]) -> dict[str, str]:
    """The guardian needs this package and what it imports; the command under it must not see their paths."""
    paths = (str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", ""))
    return {
        **environment,
        "JOULEBOARD_GUARDIAN_PYTHONPATH": environment.get("PYTHONPATH", ""),
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
