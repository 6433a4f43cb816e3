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
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
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
LOCK_SECONDS = 15.0
"""How long a command waits for another; a restart by the supervisor takes less."""

SUPERVISOR_STOP_SECONDS = 90.0
"""A supervisor that systemd started stops all components before it ends."""


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
    """What `up` records for `status` and `down`, and the supervisor when it restarts a component."""

    port: int
    components: dict[Component, Started]
    supervisor: Started | None = None

    @property
    def running(self) -> dict[Component, Started]:
        """The components that are still alive."""
        return {name: started for name, started in self.components.items() if started.process()}

    @property
    def supervised(self) -> bool:
        """Whether the supervisor's process is there."""
        return bool(self.supervisor and self.supervisor.process())

    def having(self, component: Component, started: Started) -> Record:
        """The record with a component's new process."""
        return replace(self, components=self.components | {component: started})


def read_record(installation: Installation) -> Record | None:
    """The record of the last start; None when there is none or it was damaged by a crash."""
    try:
        content = json.loads(_record_file(installation).read_text())
        components = {Component(name): Started(**value) for name, value in content["components"].items()}
        supervisor = content.get("supervisor")
        return Record(content["port"], components, Started(**supervisor) if supervisor else None)
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def write_record(installation: Installation, record: Record) -> None:
    """Replace the record atomically."""
    content = {
        "port": record.port,
        "components": {name.value: asdict(started) for name, started in record.components.items()},
        "supervisor": asdict(record.supervisor) if record.supervisor else None,
    }
    disk.replace(_record_file(installation), json.dumps(content))


def start(
    component: Component,
    installation: Installation,
    *,
    die_with_me: bool,
    database_port: int | None = None,
) -> Started:
    """Start one component detached, with a new log; the log before is kept as `<component>.log.1`.

    die_with_me: it is told to stop when this process ends, however it ends.
    database_port: the port of the database; by default a free one.
    """
    file = log_file(installation, component)
    with contextlib.suppress(FileNotFoundError):
        file.replace(previous_log_file(installation, component))
    with file.open("wb") as log:
        if component is Component.DATABASE:
            process = database.start(installation, log, die_with_me=die_with_me, port=database_port)
        else:
            process = spawn(component.command, installation, log, die_with_me=die_with_me)
    return started(process.pid)


def started(pid: int) -> Started:
    """What to record of a process that was just started."""
    return Started(pid, psutil.Process(pid).create_time())


def spawn(
    command: list[str], installation: Installation, log: IO[bytes], *, die_with_me: bool
) -> subprocess.Popen[bytes]:
    """Start a process of the platform, in a session of its own and marked with the token."""
    return subprocess.Popen(
        command,
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
        _signal_group(scheduler.pid, signal.SIGCONT)
        _await_end([scheduler])
    for process in processes.values():
        _tell_to_end(process)
    _await_end(list(processes.values()))
    database.cluster(installation).stop()
    _kill(descendants(installation))
    _record_file(installation).unlink(missing_ok=True)
    return count


def stop_leftovers(installation: Installation, record: Record) -> None:
    """End the processes of components that died: a killed scheduler leaves its workers."""
    dead = {started.pid for started in record.components.values() if not started.process()}
    _kill([process for process in descendants(installation) if _session(process) in dead])


def end(installation: Installation, process: Started) -> None:
    """End a component that hangs, or what is left of one that has ended: every process of its session."""
    _kill([found for found in descendants(installation) if _session(found) == process.pid])


def stop_except(installation: Installation, kept: Record) -> None:
    """Stop everything but the components of a record; without any, all of it."""
    record = read_record(installation)
    if not kept.running or record is None:
        stop_all(installation)
        return
    for component in record.components.keys() - kept.components.keys():
        end(installation, record.components[component])
    write_record(installation, kept)


def stop_supervisor(installation: Installation) -> None:
    """Stop the supervisor, so that it restarts nothing; does nothing when none runs.

    Call it before `exclusive`: a supervisor of systemd stops the platform, and needs the lock for that.
    """
    record = read_record(installation)
    process = record.supervisor.process() if record and record.supervisor else None
    if record is None or process is None or process.pid == os.getpid():
        return
    _tell_to_end(process)
    psutil.wait_procs([process], timeout=SUPERVISOR_STOP_SECONDS)
    kill_supervisor(record)


def kill_supervisor(record: Record) -> None:
    """Kill the supervisor if it is still there; what it has started lives on."""
    process = record.supervisor.process() if record.supervisor else None
    if process:
        _signal(process, signal.SIGKILL)
        psutil.wait_procs([process], timeout=KILL_SECONDS)


def descendants(installation: Installation) -> list[psutil.Process]:
    """Every process with this installation's token, except this one."""
    token = installation.secrets().platform_token
    return [process for process in psutil.process_iter() if _carries(process, token)]


def log_file(installation: Installation, component: Component) -> Path:
    """The file of a component's output."""
    return installation.component_logs / f"{component.value}.log"


def previous_log_file(installation: Installation, component: Component) -> Path:
    """The output of the process before."""
    return installation.component_logs / f"{component.value}.log.1"


def supervisor_log_file(installation: Installation) -> Path:
    """What the supervisor did, since the first one."""
    return installation.component_logs / "supervisor.log"


@contextlib.contextmanager
def exclusive(installation: Installation) -> Iterator[None]:
    """Let only one `up`, `down` or restart run at a time.

    Raises:
        JouleboardError: another one still runs after some seconds.
    """
    busy = JouleboardError(
        f"the platform in {installation.settings.home} is being started or stopped by another "
        "command: wait for it to finish"
    )
    lock = installation.home / "platform.lock"
    with disk.lock(lock, busy=lambda holder: busy, wait_seconds=LOCK_SECONDS):
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


def _tell_to_end(process: psutil.Process) -> None:
    """A process that was stopped takes notice when it is continued."""
    _signal(process, signal.SIGTERM)
    _signal(process, signal.SIGCONT)


def _kill_one(process: psutil.Process) -> None:
    _signal(process, signal.SIGKILL)


def _kill(processes: list[psutil.Process]) -> None:
    """SIGTERM first, so that a guardian among them can end its model server; also one that was stopped."""
    for send in (_tell_to_end, _kill_one):
        for process in processes:
            send(process)
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
