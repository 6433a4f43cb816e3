"""Says for each component whether it works, by its heartbeat (`make status`)."""

from __future__ import annotations

import json
from dataclasses import replace

from benchmark_tasks.settings import Settings
from jouleboard_airflow.notifications.records import Records
from jouleboard_airflow.platform import components, disk_space, gpu_host, heartbeats, notifier
from jouleboard_airflow.platform.components import Component, Record
from jouleboard_airflow.platform.heartbeats import Beats, age_seconds
from jouleboard_airflow.platform.installation import USER, Installation
from jouleboard_airflow.platform.supervisor import state_file
from jouleboard_airflow.platform.watch import SILENT_SECONDS

SUPERVISOR = "supervisor"


def status(installation: Installation) -> int:
    """Print one line per component. Returns exit code 0 when all of them work, else 1.

    On a GPU host that joined a control plane, it says the same of the worker.
    """
    worker = _worker(installation.settings)
    if worker is not None and components.read_record(installation) is None:
        return 0 if worker else 1
    return 0 if _platform(installation) and worker is not False else 1


def where_to_look(installation: Installation) -> str:
    """Address of the UI, and the login."""
    return f"Airflow: {installation.url}  {login(installation)}"


def login(installation: Installation) -> str:
    """User and password of the UI."""
    return f"user {USER}, password {installation.password()} (kept in {installation.password_file})"


def _worker(settings: Settings) -> bool | None:
    """Whether the worker of this GPU host works; None if none ever joined with this home."""
    beat = gpu_host.last_beat(settings)
    if beat is None:
        return None
    works, line = False, "does not run; `make gpu-worker` starts it"
    if gpu_host.runs(settings):
        works, line = _beating(age_seconds(beat), gpu_host.SILENT_SECONDS)
    _print("gpu-worker", line)
    return works


def _platform(installation: Installation) -> bool:
    record = components.read_record(installation)
    if record is None:
        _print("platform", "does not run; `make up` starts it")
        return False
    running = replace(installation, port=record.port)
    troubles = _troubles(installation)
    beats = heartbeats.read(running)
    works = [_component(component, record, beats, troubles) for component in Component]
    works += [_supervisor(running, record), _disks(running, troubles)]
    _incidents(running.settings)
    if all(works):
        print(where_to_look(running), flush=True)
    return all(works)


def _component(component: Component, record: Record, beats: Beats, troubles: dict[str, str]) -> bool:
    started = record.components.get(component)
    process = started.process() if started else None
    if started is None or process is None:
        trouble = troubles.get(component.value, "has ended")
        works, line = False, trouble.removeprefix(f"{component.value} ")
    elif component is Component.DATABASE and beats.database_refuses:
        works, line = False, f"refuses: {beats.database_refuses}"
    else:
        works, line = _beating(age_seconds(beats.last.get(component)), SILENT_SECONDS)
        line = f"{line} (pid {started.pid})"
    _print(component.value, line)
    return works


def _supervisor(installation: Installation, record: Record) -> bool:
    if record.supervisor is None or record.supervisor.process() is None:
        works, line = False, "does not run: nothing restarts what ends; `make up` starts it"
    else:
        beat = heartbeats.last_beat(state_file(installation))
        works, line = _beating(age_seconds(beat), SILENT_SECONDS)
        line = f"{line} (pid {record.supervisor.pid})"
    _print(SUPERVISOR, line)
    return works


def _disks(installation: Installation, troubles: dict[str, str]) -> bool:
    spaces = disk_space.spaces(installation)
    for space in spaces:
        _print("disk", f"{'nearly full: ' if space.nearly_full else ''}{space}")
    of_disks = [what for name, what in troubles.items() if name.startswith(disk_space.NAMES)]
    for what in of_disks:
        if what.startswith("no space"):
            _print("disk", what)
    return not of_disks and not any(space.nearly_full for space in spaces)


def _incidents(settings: Settings) -> None:
    """Who is told, and of what."""
    _print("notifier", notifier.status_line(settings))
    for record in Records(settings).all().values():
        if not record.ended:
            _print("", f"open since {record.began:%Y-%m-%d %H:%M} UTC: {record.incident.what}")


def _beating(age: float | None, late_seconds: float) -> tuple[bool, str]:
    """Whether a heartbeat is recent enough, and how to say it."""
    if age is None:
        return False, "hangs: its process is there, but has no heartbeat"
    if age > late_seconds:
        return False, f"hangs: the last heartbeat was {age:.0f} s ago"
    return True, f"works: heartbeat {age:.0f} s ago"


def _troubles(installation: Installation) -> dict[str, str]:
    """What the supervisor is troubled by."""
    try:
        troubles: dict[str, str] = json.loads(state_file(installation).read_text())
    except (OSError, ValueError):
        return {}
    return troubles


def _print(name: str, line: str) -> None:
    print(f"{name:14} {line}", flush=True)
