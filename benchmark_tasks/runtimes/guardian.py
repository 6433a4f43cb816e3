"""Stands between the measuring process and a model server: `guardian OWNER_PID -- COMMAND...`.

Ends the command and every descendant when told to (SIGTERM), when the owner dies however it
dies, or when the command itself ends and leaves children behind. Exits with the command's code.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil

from benchmark_tasks.processes import (
    STOP_SECONDS,
    adopt_orphans,
    descendants,
    die_with_parent,
    kill_all,
)


class _Stop(Exception):
    """This process was asked to stop."""


def main(arguments: list[str]) -> int:
    """Run the command until it ends or this process is told to stop."""
    owner, command = int(arguments[0]), arguments[2:]
    signal.signal(signal.SIGTERM, _raise_stop)
    signal.signal(signal.SIGINT, _raise_stop)
    adopt_orphans()
    die_with_parent(signal.SIGTERM)
    if os.getppid() != owner:
        return 1
    try:
        process = subprocess.Popen(
            command,
            env=_command_environment(),
            preexec_fn=lambda: die_with_parent(signal.SIGKILL),  # noqa: PLW1509  one thread, Linux only
        )
        return _await(process)
    except _Stop:
        return _end(process)
    finally:
        kill_all(descendants(os.getpid()))


def _await(process: subprocess.Popen[bytes]) -> int:
    """Wait for the command's end; adopted orphans that end before it leave no zombies."""
    while True:
        pid, status = os.wait()
        if pid == process.pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode


def _end(process: subprocess.Popen[bytes]) -> int:
    """Let the command end by itself, within a limit; what is left is killed by the caller."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    process.terminate()
    psutil.wait_procs([psutil.Process(process.pid), *descendants(process.pid)], timeout=STOP_SECONDS)
    return 128 + signal.SIGTERM


def _command_environment() -> dict[str, str]:
    environment = dict(os.environ)
    original = environment.pop("JOULEBOARD_GUARDIAN_PYTHONPATH", "")
    environment.pop("PYTHONPATH", None)
    return environment | ({"PYTHONPATH": original} if original else {})


def _raise_stop(_signum: int, _frame: object) -> None:
    raise _Stop


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
