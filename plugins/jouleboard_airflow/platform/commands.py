"""Start and stop the platform: `python -m jouleboard_airflow.platform up|down|status`.

Airflow's four components on one machine, with SQLite, on the loopback interface. Not `airflow
standalone`, which leaves its children behind when it is killed and its password readable by all.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version

import httpx

from benchmark_tasks.errors import JouleboardError, PortInUse
from benchmark_tasks.host.machine import gpu_names
from benchmark_tasks.runtimes.process import log_tail
from jouleboard_airflow.gpu_hosts import fleet_here
from jouleboard_airflow.platform import components
from jouleboard_airflow.platform.components import Component, Record
from jouleboard_airflow.platform.installation import USER, Installation

HEALTHY_SECONDS = 180.0
PREPARE_SECONDS = 300.0
_POLL_SECONDS = 0.5

Say = Callable[[str], None]


def main(arguments: list[str] | None = None) -> int:
    """Run one command; an error a person can act on is one line on stderr."""
    parser = argparse.ArgumentParser(prog="platform", description=__doc__.splitlines()[0])
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
    """Start what does not run yet and wait until all of it is healthy.

    die_with_me: the components stop when the calling process ends, however it ends.

    Returns whether anything was started.

    Raises:
        PortInUse: another program listens there, or the platform already runs on another port.
        JouleboardError: a component died or did not become healthy; carries its last log lines.
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
            say(f"already up at {installation.url}")
            return False
        if Component.API_SERVER in missing:
            check_port(installation.port)
        if running:
            components.stop_leftovers(installation, record)
        else:
            components.stop_all(installation)
        prepare(installation, say=say)
        began = datetime.now(UTC)
        say(f"starting {', '.join(missing)}")
        for component in missing:
            running[component] = components.start(component, installation, die_with_me=die_with_me)
            components.write_record(installation, Record(installation.port, running))
        try:
            _wait_healthy(installation, Record(installation.port, running), began, set(missing))
        except BaseException:
            components.stop_all(installation)
            raise
        say(f"healthy after {(datetime.now(UTC) - began).total_seconds():.0f} s")
        return True


def down(installation: Installation, *, say: Say) -> None:
    """Stop everything that this installation started, tasks included; harmless when nothing runs."""
    with components.exclusive(installation):
        stopped = components.stop_all(installation)
    say(f"stopped {stopped} processes" if stopped else "nothing was running")


def require_up(installation: Installation) -> None:
    """Raise a `JouleboardError` that names a component which has ended, with its last log lines."""
    record = components.read_record(installation)
    if record is None:
        raise JouleboardError(f"the platform in {installation.settings.home} was stopped: `make up`")
    _require_alive(installation, record, "has died; `make up` starts it again")


def status(installation: Installation) -> int:
    """Print one line a component; 0 when all run."""
    record = components.read_record(installation) or Record(installation.port, {})
    for component in Component:
        started = record.running.get(component)
        _print(f"{component.value:14} {f'running, pid {started.pid}' if started else 'not running'}")
    if len(record.running) == len(Component):
        _print(where_to_look(Installation(installation.settings, record.port)))
        return 0
    return 1


def where_to_look(installation: Installation) -> str:
    """Address and login."""
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
    """Write the configuration; migrate the database and set the pools when that has not been done yet."""
    fleet = fleet_here(os.environ)
    installation.write_configuration(len(gpu_names()), fleet)
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
        raise _with_log(f"Airflow's database could not be prepared; see {log}", log_tail(log, 8))
    stamp.write_text(wanted)


def _wait_healthy(installation: Installation, record: Record, began: datetime, fresh: set[Component]) -> None:
    deadline = time.monotonic() + HEALTHY_SECONDS
    waiting = set(Component)
    while waiting:
        _require_alive(installation, record, "died while starting")
        if time.monotonic() > deadline:
            first = sorted(waiting)[0]
            raise _component_error(installation, first, f"was not healthy after {HEALTHY_SECONDS:.0f} s")
        waiting -= _healthy(installation, began, fresh)
        if waiting:
            time.sleep(_POLL_SECONDS)


def _require_alive(installation: Installation, record: Record, what: str) -> None:
    running = record.running
    for component in Component:
        if component not in running:
            raise _component_error(installation, component, what)


def _healthy(installation: Installation, began: datetime, fresh: set[Component]) -> set[Component]:
    """Components that report health; of those just started, only by a heartbeat of this start."""
    try:
        report = httpx.get(f"{installation.url}/api/v2/monitor/health", timeout=5).raise_for_status().json()
    except (httpx.HTTPError, ValueError):
        return set()
    healthy = {Component.API_SERVER}
    for component in set(Component) - healthy:
        key = component.value.replace("-", "_")
        part = report.get(key) or {}
        beat = part.get(f"latest_{key}_heartbeat")
        recent = beat and (component not in fresh or datetime.fromisoformat(beat) >= began)
        if part.get("status") == "healthy" and recent:
            healthy.add(component)
    return healthy


def _component_error(installation: Installation, component: Component, what: str) -> JouleboardError:
    log = components.log_file(installation, component)
    return _with_log(f"{component.value} {what}; its log is {log}", log_tail(log, 8))


def _with_log(message: str, lines: tuple[str, ...]) -> JouleboardError:
    return JouleboardError("\n".join([message, *(f"    {line}" for line in lines)]))


def _print(text: str) -> None:
    print(text, flush=True)
