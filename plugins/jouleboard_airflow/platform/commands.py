"""Start and stop the platform: `python -m jouleboard_airflow.platform up|down|status`.

The platform is Airflow's four components on one machine, with SQLite, on the loopback interface. It is not
`airflow standalone`: that leaves child processes behind when it is killed, and everybody can read its
password.
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

from benchmark_tasks.errors import JouleboardError, PortInUse
from benchmark_tasks.host.machine import gpu_names
from benchmark_tasks.processes import log_tail
from jouleboard_airflow.gpu_hosts import fleet_here
from jouleboard_airflow.platform import components
from jouleboard_airflow.platform.components import Component, Record, Started
from jouleboard_airflow.platform.configuration import write_configuration
from jouleboard_airflow.platform.health import error_with_log, wait_until_healthy
from jouleboard_airflow.platform.installation import USER, Installation

PREPARE_SECONDS = 300.0

Say = Callable[[str], None]


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Returns the exit code; an error is one line on stderr."""
    parser = argparse.ArgumentParser(prog="platform", description="Start, stop or show the platform.")
    parser.add_argument("command", choices=("up", "down", "status"))
    command = parser.parse_args(arguments).command
    try:
        installation = Installation.from_environment()
        match command:
            case "up":
                up(installation, say=_print)
                _print(where_to_look(installation))
            case "down":
                down(installation, say=_print)
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
        if Component.API_SERVER in missing:
            check_port(installation.port)
        if running:
            components.stop_leftovers(installation, record)
        else:
            components.stop_all(installation)
        prepare(installation, say=say)
        _start(installation, running, missing, say=say, die_with_me=die_with_me)
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


def prepare(installation: Installation, *, say: Say) -> None:
    """Write the configuration; migrate the database and set the pools unless that is done already.

    Raises:
        JouleboardError: Airflow's database could not be prepared; has the last log lines.
    """
    fleet = fleet_here(os.environ)
    write_configuration(installation, len(gpu_names()), fleet)
    stamp = installation.home / "prepared.json"
    wanted = json.dumps({"airflow": version("apache-airflow"), "fleet": fleet})
    if stamp.exists() and stamp.read_text() == wanted and (installation.home / "airflow.db").exists():
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
    """Start the missing components and wait until all are healthy; stop all when that fails."""
    began = datetime.now(UTC)
    say(f"starting {', '.join(missing)}")
    for component in missing:
        running[component] = components.start(component, installation, die_with_me=die_with_me)
        components.write_record(installation, Record(installation.port, running))
    try:
        wait_until_healthy(installation, Record(installation.port, running), began, set(missing))
    except BaseException:
        components.stop_all(installation)
        raise
    say(f"all components are healthy after {(datetime.now(UTC) - began).total_seconds():.0f} s")


def _print(text: str) -> None:
    print(text, flush=True)
