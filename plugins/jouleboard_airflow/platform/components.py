"""The platform's processes: each starts in a session of its own, and is found again by pid and start time.

Every process has the installation's token in its environment, and so has every process that it starts.
Stopping ends the recorded processes first, and then every other process with the token: so a crash leaves no
process behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import IO

import psutil

from benchmark_tasks import disk
from benchmark_tasks.errors import JouleboardError
from benchmark_tasks.processes import PLATFORM_MARK, die_with_parent
from jouleboard_airflow.platform import database
from jouleboard_airflow.platform.installation import Installation

STOP_SECONDS = 20.0
KILL_SECONDS = 10.0


class Component(StrEnum):
    """One process of the platform. In the order of their start; the database is stopped last.

    The value of each but the database is the `airflow` command that runs it.
    """

    DATABASE = "database"
    API_SERVER = "api-server"
    SCHEDULER = "scheduler"
    DAG_PROCESSOR = "dag-processor"
    TRIGGERER = "triggerer"

    @property
    def command(self) -> list[str]:
        """Airflow's command line, without a log server: that would listen on every interface."""
        serves_logs = self in (Component.SCHEDULER, Component.TRIGGERER)
        options = ["--skip-serve-logs"] if serves_logs else []
        return [sys.executable, "-m", "airflow", self.value, *options]


@dataclass(frozen=True)
class Started:
    """A component that was started. `created`: its start time; a later process with its pid has another."""

    pid: int
    created: float

    def process(self) -> psutil.Process | None:
        """The live process, or None when it has ended."""
        try:
            process = psutil.Process(self.pid)
            if process.create_time() != self.created or process.status() == psutil.STATUS_ZOMBIE:
                return None
            return process
        except psutil.NoSuchProcess:
            return None


@dataclass(frozen=True)
class Record:
    """What `up` records for `status` and `down`."""

    port: int
    components: dict[Component, Started]

    @property
    def running(self) -> dict[Component, Started]:
        """The components that are still alive."""
        return {name: started for name, started in self.components.items() if started.process()}


def read_record(installation: Installation) -> Record | None:
    """The record of the last start; None when there is none or it was damaged by a crash."""
    try:
        content = json.loads(_record_file(installation).read_text())
        components = {Component(name): Started(**value) for name, value in content["components"].items()}
        return Record(content["port"], components)
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def write_record(installation: Installation, record: Record) -> None:
    """Replace the record atomically."""
    content = {
        "port": record.port,
        "components": {name.value: asdict(started) for name, started in record.components.items()},
    }
    disk.replace(_record_file(installation), json.dumps(content))


def start(component: Component, installation: Installation, *, die_with_me: bool) -> Started:
    """Start one component detached; its output replaces its log.

    die_with_me: it is told to stop when this process ends, however it ends.
    """
    with log_file(installation, component).open("wb") as log:
        launch = database.start if component is Component.DATABASE else partial(_start_airflow, component)
        process = launch(installation, log, die_with_me=die_with_me)
    return Started(process.pid, psutil.Process(process.pid).create_time())


def _start_airflow(
    component: Component, installation: Installation, log: IO[bytes], *, die_with_me: bool
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        component.command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        env=installation.environment(),
        cwd=installation.home,
        start_new_session=True,
        preexec_fn=die_with_parent if die_with_me else None,  # noqa: PLW1509  this process has one thread
    )


def stop_all(installation: Installation) -> int:
    """Stop every process of this installation. Returns how many there were.

    The scheduler and its workers end first, as they stop their tasks, which still report to the API server.
    The other components end their own children. The database ends last.
    """
    record = read_record(installation)
    running = record.running if record else {}
    processes = {name: process for name, started in running.items() if (process := started.process())}
    count = len(descendants(installation))
    processes.pop(Component.DATABASE, None)
    scheduler = processes.pop(Component.SCHEDULER, None)
    if scheduler:
        _signal_group(scheduler.pid, signal.SIGTERM)
        _await_end([scheduler])
    for process in processes.values():
        _signal(process, signal.SIGTERM)
    _await_end(list(processes.values()))
    database.cluster(installation).stop()
    _kill(descendants(installation))
    _record_file(installation).unlink(missing_ok=True)
    return count


def stop_leftovers(installation: Installation, record: Record) -> None:
    """End the processes of components that died: a killed scheduler leaves its workers."""
    dead = {started.pid for started in record.components.values() if not started.process()}
    _kill([process for process in descendants(installation) if _session(process) in dead])


def descendants(installation: Installation) -> list[psutil.Process]:
    """Every process with this installation's token, except this one."""
    token = installation.secrets().platform_token
    return [process for process in psutil.process_iter() if _carries(process, token)]


def log_file(installation: Installation, component: Component) -> Path:
    """The file of a component's output."""
    return installation.component_logs / f"{component.value}.log"


@contextlib.contextmanager
def exclusive(installation: Installation) -> Iterator[None]:
    """Let only one `up` or `down` run at a time.

    Raises:
        JouleboardError: another one runs.
    """
    busy = JouleboardError(
        f"the platform in {installation.settings.home} is being started or stopped by another "
        "command: wait for it to finish"
    )
    with disk.lock(installation.home / "platform.lock", busy=lambda holder: busy):
        yield


def _await_end(processes: list[psutil.Process]) -> None:
    """Wait; processes that do not end in time are killed with their group."""
    _, alive = psutil.wait_procs(processes, timeout=STOP_SECONDS)
    for process in alive:
        _signal_group(process.pid, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=KILL_SECONDS)


def _signal_group(group: int, sent: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, sent)


def _signal(process: psutil.Process, sent: signal.Signals) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(sent)


def _kill(processes: list[psutil.Process]) -> None:
    """SIGTERM first, so that a guardian among them can end its model server."""
    for sent in (signal.SIGTERM, signal.SIGKILL):
        for process in processes:
            _signal(process, sent)
        _, processes = psutil.wait_procs(processes, timeout=KILL_SECONDS)


def _carries(process: psutil.Process, token: str) -> bool:
    try:
        return process.pid != os.getpid() and process.environ().get(PLATFORM_MARK) == token
    except (psutil.Error, OSError):
        return False


def _session(process: psutil.Process) -> int | None:
    try:
        return os.getsid(process.pid)
    except ProcessLookupError:
        return None


def _record_file(installation: Installation) -> Path:
    return installation.home / "platform.json"
