"""Start and stop the platform: `python -m jouleboard_airflow.platform up|down|status|database PROGRAM`.

The platform is a PostgreSQL server and Airflow's four components on one machine, on the loopback interface.
It is not `airflow standalone`: that leaves child processes behind when it is killed, and everybody can read
its password.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

from benchmark_tasks.errors import JouleboardError, PortInUse
from benchmark_tasks.host.machine import gpu_names
from benchmark_tasks.processes import log_tail
from jouleboard_airflow.gpu_hosts import fleet_here, gpus_here
from jouleboard_airflow.platform import components, database
from jouleboard_airflow.platform.components import Component, Record, Started
from jouleboard_airflow.platform.configuration import write_configuration
from jouleboard_airflow.platform.health import (
    error_with_log,
    wait_until_database_answers,
    wait_until_healthy,
)
from jouleboard_airflow.platform.installation import USER, Installation
from jouleboard_airflow.platform.postgres import installed_programs

PREPARE_SECONDS = 300.0

Say = Callable[[str], None]


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Returns the exit code; an error is one line on stderr."""
    parser = argparse.ArgumentParser(prog="platform", description="Start, stop or show the platform.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("up", "down", "status"):
        commands.add_parser(name)
    client = commands.add_parser("database", help="run psql, pg_dump, ... logged in to the database")
    client.add_argument("client", nargs=argparse.REMAINDER, help="a program of PostgreSQL and its options")
    options = parser.parse_args(arguments)
    try:
        installation = Installation.from_environment()
        match options.command:
            case "up":
                up(installation, say=_print)
                _print(where_to_look(installation))
            case "down":
                down(installation, say=_print)
            case "database":
                become_client(installation, options.client or ["psql"])
            case _:
                return status(installation)
    except JouleboardError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("error: interrupted; `make down` stops what was started", file=sys.stderr)
        return 130
    return 0


def up(installation: Installation, *, say: Say, die_with_me: bool = False) -> bool:
    """Start the components that do not run, and wait until all are healthy.

    Without its database, what still runs is stopped first.

    Args:
        installation: the Airflow to start.
        say: prints a line on the progress.
        die_with_me: the components stop when the calling process ends, however it ends.

    Returns:
        Whether anything was started.

    Raises:
        PortInUse: another program listens there, or the platform already runs on another port.
        JouleboardError: a component died or did not become healthy; has its last log lines.
    """
    with components.exclusive(installation):
        record = components.read_record(installation) or Record(installation.port, {})
        running = record.running
        if running and record.port != installation.port:
            raise PortInUse(
                f"the platform already runs on port {record.port}: `make down` first, "
                f"or use JOULEBOARD_PORT={record.port}"
            )
        missing = [component for component in Component if component not in running]
        if not missing:
            say(f"the platform is already up at {installation.url}")
            return False
        if Component.DATABASE in running:
            components.stop_leftovers(installation, record)
        else:  # nothing works without it, and it comes back on another port
            components.stop_all(installation)
            running, missing = {}, list(Component)
        if Component.API_SERVER in missing:
            check_port(installation.port)
        try:
            _start(installation, running, missing, say=say, die_with_me=die_with_me)
        except BaseException:
            components.stop_all(installation)
            raise
        return True


def down(installation: Installation, *, say: Say) -> None:
    """Stop every process that this installation started, also tasks; does nothing when none runs."""
    with components.exclusive(installation):
        stopped = components.stop_all(installation)
    say(f"stopped {stopped} processes" if stopped else "nothing to stop: the platform does not run")


def status(installation: Installation) -> int:
    """Print one line per component. Returns exit code 0 when all run, else 1."""
    record = components.read_record(installation) or Record(installation.port, {})
    for component in Component:
        started = record.running.get(component)
        _print(f"{component.value:14} {f'running, pid {started.pid}' if started else 'not running'}")
    if len(record.running) == len(Component):
        _print(where_to_look(Installation(installation.settings, record.port)))
        return 0
    return 1


def become_client(installation: Installation, command: list[str]) -> NoReturn:
    """Turn this process into a program of PostgreSQL that is logged in to the running database.

    Raises:
        JouleboardError: there is no such program, or the database does not run.
    """
    program = installed_programs() / Path(command[0]).name
    if not program.is_file():
        raise JouleboardError(f"{command[0]}: not a program of PostgreSQL; psql and pg_dump are two")
    os.execve(program, command, os.environ | database.client_variables(installation))


def where_to_look(installation: Installation) -> str:
    """Address of the UI, and the login."""
    return f"Airflow: {installation.url}  {login(installation)}"


def login(installation: Installation) -> str:
    """User and password of the UI."""
    return f"user {USER}, password {installation.password()} (kept in {installation.password_file})"


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


def _start(
    installation: Installation,
    running: dict[Component, Started],
    missing: list[Component],
    *,
    say: Say,
    die_with_me: bool,
) -> None:
    """Start the missing components, the database before the others, and wait until all are healthy."""
    began = datetime.now(UTC)

    def start(component: Component) -> Started:
        running[component] = components.start(component, installation, die_with_me=die_with_me)
        components.write_record(installation, Record(installation.port, running))
        return running[component]

    say(f"starting {', '.join(missing)}")
    if Component.DATABASE in missing:
        make_database_ready(installation, say=say)
        wait_until_database_answers(installation, start(Component.DATABASE))
    prepare(installation, say=say)
    for component in missing:
        if component is not Component.DATABASE:
            start(component)
    wait_until_healthy(installation, Record(installation.port, running), began, set(missing))
    say(f"all components are healthy after {(datetime.now(UTC) - began).total_seconds():.0f} s")


def _print(text: str) -> None:
    print(text, flush=True)
