"""Start and stop the platform: `python -m jouleboard_airflow.platform up|down|status|run|database PROGRAM`.

The platform is a PostgreSQL server and Airflow's four components on one machine, on the loopback interface.
It is not `airflow standalone`: that leaves child processes behind when it is killed, and everybody can read
its password.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

from benchmark_tasks import disk
from benchmark_tasks.errors import JouleboardError, PortInUse
from benchmark_tasks.host.machine import gpu_names
from benchmark_tasks.processes import log_tail
from jouleboard_airflow.gpu_hosts import fleet_here, gpus_here
from jouleboard_airflow.platform import components, database, notifier, service
from jouleboard_airflow.platform.components import Component, Record, Started
from jouleboard_airflow.platform.configuration import write_configuration
from jouleboard_airflow.platform.health import (
    error_with_log,
    wait_until_database_answers,
    wait_until_healthy,
    wait_until_supervised,
)
from jouleboard_airflow.platform.installation import Installation
from jouleboard_airflow.platform.postgres import installed_programs
from jouleboard_airflow.platform.status import status, where_to_look
from jouleboard_airflow.platform.supervisor import Supervisor, state_file, supervisor_works

PREPARE_SECONDS = 300.0

Say = Callable[[str], None]

_COMMANDS = {
    "up": "start what does not run, in the background",
    "down": "stop everything",
    "status": "say whether every component works; fails unless all do",
    "run": "start and supervise in the foreground, as a service",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Returns the exit code; an error is one line on stderr."""
    options = _parse(arguments)
    disk.keep_others_from_writing()
    try:
        return _run(options)
    except JouleboardError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:  # who reads the output has seen enough, like `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except OSError as error:
        print(f"error: {error.strerror}: {error.filename}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("error: interrupted; `make down` stops what was started", file=sys.stderr)
        return 130


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="platform", description="Start, stop or show the platform.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what in _COMMANDS.items():
        commands.add_parser(name, help=what)
    watch = commands.add_parser("watch", help="restart what ends or hangs; `up` starts this itself")
    watch.add_argument("--die-with-me", action="store_true", help="what is restarted ends with this process")
    service.add_options(commands)
    client = commands.add_parser("database", help="run psql, pg_dump, ... logged in to the database")
    client.add_argument("client", nargs=argparse.REMAINDER, help="a program of PostgreSQL and its options")
    return parser.parse_args(arguments)


def _run(options: argparse.Namespace) -> int:
    installation = Installation.from_environment()
    if options.command not in ("install-service", "uninstall-service"):
        installation.make_home()
    match options.command:
        case "up":
            up(installation, say=_print)
            _print(where_to_look(installation))
        case "down":
            down(installation, say=_print)
        case "run":
            run(installation)
        case "watch":
            with stopped_by_sigterm():
                watch(installation, die_with_me=options.die_with_me)
        case "install-service":
            service.install(options, say=_print)
        case "uninstall-service":
            service.uninstall(options, say=_print)
        case "database":
            become_client(installation, options.client or ["psql"])
        case _:
            return status(installation)
    return 0


def up(installation: Installation, *, say: Say, die_with_me: bool = False, supervised: bool = True) -> bool:
    """Start the components that do not run, wait until all are healthy, and leave a supervisor behind.

    Without its database, what still runs is stopped first.

    Args:
        installation: the Airflow to start.
        say: prints a line on the progress.
        die_with_me: the components stop when the calling process ends, however it ends.
        supervised: start a supervisor, unless one works already. If not, the caller supervises.

    Returns:
        Whether a component was started.

    Raises:
        PortInUse: another program listens there, or the platform already runs on another port.
        JouleboardError: a component died or did not become healthy; has its last log lines. What this call
            started is stopped again.
    """
    with components.exclusive(installation):
        started = _start_missing(installation, say=say, die_with_me=die_with_me)
        notifier.pass_on(installation)
        if supervised:
            _leave_supervisor(installation, die_with_me=die_with_me)
    if supervised:
        wait_until_supervised(installation)
    return started


def run(installation: Installation) -> None:
    """Start the platform and supervise it in the foreground, as systemd wants it; SIGTERM stops it all.

    Raises:
        JouleboardError: it could not be started.
    """
    components.stop_supervisor(installation)
    with stopped_by_sigterm():
        try:
            up(installation, say=_print, die_with_me=True, supervised=False)
            watch(installation, die_with_me=True)
        finally:
            down(installation, say=_print)


def watch(installation: Installation, *, die_with_me: bool) -> None:
    """Be the supervisor until the platform is stopped, or this process is told to end."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    me = components.started(os.getpid())

    def start_anew() -> None:
        components.stop_all(installation)
        nothing = Record(installation.port, {}, me)
        components.write_record(installation, nothing)
        _start(installation, nothing, list(Component), say=_print, die_with_me=die_with_me)

    service.notify_systemd("READY=1")
    supervisor = Supervisor(installation, start_anew=start_anew, die_with_me=die_with_me)
    keeper = notifier.Keeper(installation, die_with_me=die_with_me)

    def after_each_look() -> None:
        service.notify_systemd("WATCHDOG=1")
        keeper.keep()

    supervisor.run(after_each_look)


@contextmanager
def stopped_by_sigterm() -> Iterator[None]:
    """Leave the block at the first SIGTERM."""

    class Stop(BaseException):
        """Told to stop."""

    def stop(_signum: int, _frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Stop

    signal.signal(signal.SIGTERM, stop)
    with suppress(Stop):
        yield


def down(installation: Installation, *, say: Say) -> None:
    """Stop every process that this installation started, also tasks; does nothing when none runs."""
    processes = len(components.descendants(installation))
    components.stop_supervisor(installation)
    with components.exclusive(installation):
        stopped = max(processes, components.stop_all(installation))
    say(f"stopped {stopped} processes" if stopped else "nothing to stop: the platform does not run")


def become_client(installation: Installation, command: list[str]) -> NoReturn:
    """Turn this process into a program of PostgreSQL that is logged in to the running database.

    Raises:
        JouleboardError: there is no such program, or the database does not run.
    """
    program = installed_programs() / Path(command[0]).name
    if not program.is_file():
        raise JouleboardError(f"{command[0]}: not a program of PostgreSQL; psql and pg_dump are two")
    os.execve(program, command, os.environ | database.client_variables(installation))


def check_port(port: int) -> None:
    """Raise `PortInUse` when something listens on the loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise PortInUse(
                f"port {port} is in use by another program: stop it, or choose another with JOULEBOARD_PORT"
            ) from error


def make_database_ready(installation: Installation, *, say: Say) -> None:
    """Make the database's files unless they are there.

    Raises:
        JouleboardError: they could not be made; says why.
    """
    installation.component_logs.mkdir(parents=True, exist_ok=True)
    new = database.make_ready(installation)
    before = installation.home / "airflow.db"
    if new and before.exists():
        say(
            f"Airflow's history until now stays in {before} (SQLite) and is not read any more: unpause the "
            "DAGs and set Airflow's variables again (docs/operations.md); measured runs and publications are "
            "as they were"
        )


def prepare(installation: Installation, *, say: Say) -> None:
    """Write the configuration; migrate the running database and set the pools unless that is done already.

    Raises:
        JouleboardError: Airflow's database could not be prepared; has the last log lines.
    """
    fleet = fleet_here(os.environ)
    write_configuration(installation, database.address(installation), len(gpu_names()), fleet, gpus_here())
    stamp = database.stamp_file(installation)
    wanted = json.dumps({"airflow": version("apache-airflow"), "fleet": fleet})
    if stamp.exists() and stamp.read_text() == wanted:
        return
    say(f"preparing Airflow's database and pools in {installation.home}")
    log = installation.component_logs / "prepare.log"
    with log.open("wb") as output:
        command = [sys.executable, "-m", "jouleboard_airflow.platform.prepare"]
        result = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=installation.environment(),
            cwd=installation.home,
            timeout=PREPARE_SECONDS,
            check=False,
        )
    if result.returncode != 0:
        raise error_with_log(f"Airflow's database could not be prepared; see {log}", log_tail(log, 8))
    stamp.write_text(wanted)


def _start_missing(installation: Installation, *, say: Say, die_with_me: bool) -> bool:
    record = components.read_record(installation) or Record(installation.port, {})
    if record.running and record.port != installation.port:
        raise PortInUse(
            f"the platform already runs on port {record.port}: `make down` first, "
            f"or use JOULEBOARD_PORT={record.port}"
        )
    missing = [component for component in Component if component not in record.running]
    if not missing:
        say(f"the platform is already up at {installation.url}")
        return False
    if Component.DATABASE in record.running:
        components.stop_leftovers(installation, record)
    else:  # nothing works without it, and it comes back on another port
        components.stop_all(installation)
        record, missing = Record(installation.port, {}), list(Component)
    if Component.API_SERVER in missing:
        check_port(installation.port)
    began = datetime.now(UTC)
    kept = replace(record, components=record.running)
    try:
        record = _start(installation, kept, missing, say=say, die_with_me=die_with_me)
        wait_until_healthy(installation, record, began, set(missing))
    except BaseException:
        components.stop_except(installation, kept)
        raise
    say(f"all components are healthy after {(datetime.now(UTC) - began).total_seconds():.0f} s")
    return True


def _start(
    installation: Installation, record: Record, missing: list[Component], *, say: Say, die_with_me: bool
) -> Record:
    """Start the missing components, the database before the others. Returns the record with them."""

    def start(component: Component) -> Started:
        nonlocal record
        started = components.start(component, installation, die_with_me=die_with_me)
        record = record.having(component, started)
        components.write_record(installation, record)
        return started

    say(f"starting {', '.join(missing)}")
    if Component.DATABASE in missing:
        make_database_ready(installation, say=say)
        wait_until_database_answers(installation, start(Component.DATABASE))
    prepare(installation, say=say)
    for component in missing:
        if component is not Component.DATABASE:
            start(component)
    return record


def _leave_supervisor(installation: Installation, *, die_with_me: bool) -> None:
    """Start a supervisor in the background, unless one works; one that hangs is ended first."""
    record = components.read_record(installation)
    if record is None or (record.supervised and supervisor_works(installation)):
        return
    components.kill_supervisor(record)
    state_file(installation).unlink(missing_ok=True)
    command = [sys.executable, "-m", "jouleboard_airflow.platform", "watch"]
    with components.supervisor_log_file(installation).open("ab") as output:
        process = components.spawn(
            [*command, "--die-with-me"] if die_with_me else command,
            installation,
            output,
            die_with_me=die_with_me,
        )
    started = components.started(process.pid)
    components.write_record(installation, replace(record, supervisor=started))


def _print(text: str) -> None:
    print(text, flush=True)
