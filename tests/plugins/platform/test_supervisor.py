"""The supervisor with real, small processes that beat, hang and die. With all of Airflow: `tests/e2e`."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import psutil
import pytest

from benchmark_tasks import disk
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.waiting import until
from jouleboard_airflow.notifications import Incident, Kind, tell
from jouleboard_airflow.notifications.records import Records
from jouleboard_airflow.platform import components, database, disk_space, heartbeats, supervisor, watch
from jouleboard_airflow.platform.components import Component, Record
from jouleboard_airflow.platform.disk_space import Space
from jouleboard_airflow.platform.heartbeats import Beats
from jouleboard_airflow.platform.installation import Installation
from jouleboard_airflow.platform.status import status
from jouleboard_airflow.platform.supervisor import Supervisor
from jouleboard_airflow.platform.watch import Patience

BEATS = """
import os, pathlib, sys, threading
file = pathlib.Path(sys.argv[1])
if file.with_suffix(".broken").exists():
    sys.exit("no module named airflow")
while not threading.Event().wait(0.02):
    file.touch()
"""
SHORT = {component: Patience(at_work_seconds=0.5, at_start_seconds=20) for component in Component}


class Platform:
    """Five small processes in the places of the components, and their supervisor, which looks when asked."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.anew = 0
        self.supervisor = Supervisor(
            installation, start_anew=self.start_anew, die_with_me=True, patience=SHORT
        )

    def start_anew(self) -> None:
        self.anew += 1
        components.stop_all(self.installation)
        self.start()

    def start(self) -> None:
        record = Record(self.installation.port, {}, components.started(os.getpid()))
        for component in Component:
            record = record.having(
                component, components.start(component, self.installation, die_with_me=True)
            )
        components.write_record(self.installation, record)

    def pid(self, component: Component) -> int:
        record = components.read_record(self.installation)
        assert record is not None
        return record.components[component].pid

    def looking_until(self, condition: Callable[[], Any], what: str) -> None:
        def look() -> Any:
            assert self.supervisor.look()
            return condition()

        until(look, 20, what)

    def works_again(self, component: Component, before: int) -> None:
        self.looking_until(
            lambda: self.pid(component) != before and not self.supervisor.troubles, f"{component} at work"
        )

    def incidents(self) -> dict[str, Any]:
        return Records(self.installation.settings).all()


def beat_of(installation: Installation, component: Component) -> Path:
    return installation.home / f"{component.value}.small"


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    installation = Installation(Settings(home=tmp_path / "home"), 8080)
    installation.component_logs.mkdir(parents=True)

    def command(component: Component) -> list[str]:
        return [sys.executable, "-S", "-c", BEATS, str(beat_of(installation, component))]

    def start_database(
        installation: Installation, log: IO[bytes], *, die_with_me: bool, port: int | None = None
    ) -> subprocess.Popen[bytes]:
        return components.spawn(command(Component.DATABASE), installation, log, die_with_me=die_with_me)

    def read(installation: Installation) -> Beats:
        beats = {each: heartbeats.last_beat(beat_of(installation, each)) for each in Component}
        return Beats({each: beat for each, beat in beats.items() if beat})

    monkeypatch.setattr(Component, "command", property(command))
    monkeypatch.setattr(database, "start", start_database)
    monkeypatch.setattr(heartbeats, "read", read)
    monkeypatch.setattr(watch, "FIRST_DELAY_SECONDS", 0.05)
    monkeypatch.setattr(watch, "LONGEST_DELAY_SECONDS", 0.1)
    monkeypatch.setattr(disk_space, "NEARLY_FULL_BYTES", 0)
    platform = Platform(installation)
    platform.start()
    try:
        platform.looking_until(
            lambda: all(beat_of(installation, component).exists() for component in Component), "all beat"
        )
        yield platform
    finally:
        components.stop_all(installation)


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGSTOP])
def test_what_died_or_hangs_is_told_and_restarted(platform: Platform, sent: signal.Signals) -> None:
    before = platform.pid(Component.TRIGGERER)
    others = {component: platform.pid(component) for component in set(Component) - {Component.TRIGGERER}}
    os.kill(before, sent)
    platform.looking_until(lambda: platform.supervisor.troubles, "the notice")
    told = {signal.SIGKILL: "triggerer has ended", signal.SIGSTOP: "triggerer hangs"}[sent]
    assert platform.supervisor.troubles == {"triggerer": told}
    assert platform.incidents()["component/triggerer"].incident.what == told
    platform.works_again(Component.TRIGGERER, before)
    assert components.Started(before, 0).process() is None
    assert {component: platform.pid(component) for component in others} == others
    noted = platform.incidents().get("component/triggerer")
    assert noted is None or noted.how == "triggerer works again"


def test_what_cannot_start_is_one_line_and_no_tight_loop(platform: Platform) -> None:
    broken = beat_of(platform.installation, Component.SCHEDULER).with_suffix(".broken")
    broken.touch()
    before = platform.pid(Component.SCHEDULER)
    os.kill(before, signal.SIGKILL)
    platform.looking_until(
        lambda: "cannot start" in platform.supervisor.troubles.get("scheduler", ""), "the line"
    )
    incident = platform.incidents()["component/scheduler"].incident
    assert incident.what == "scheduler cannot start; it is tried again every 10 minutes"
    assert incident.why == "the last line of its log is: no module named airflow"
    broken.unlink()
    platform.works_again(Component.SCHEDULER, before)


def test_a_database_that_does_not_come_back_on_its_port_takes_the_others_along(platform: Platform) -> None:
    """Here it has no port at all, as after a start that failed."""
    before = {component: platform.pid(component) for component in Component}
    os.kill(before[Component.DATABASE], signal.SIGKILL)
    platform.looking_until(lambda: platform.anew, "a new start")
    assert {platform.pid(component) for component in Component}.isdisjoint(before.values())


def test_on_a_full_disk_nothing_is_restarted_until_there_is_space(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = platform.pid(Component.SCHEDULER)
    with monkeypatch.context() as filled:
        filled.setattr(tempfile, "TemporaryFile", full)
        filled.setattr(disk, "_written_beside", full)
        os.utime(supervisor.state_file(platform.installation), (0, 0))
        os.kill(before, signal.SIGSTOP)
        (space,) = disk_space.spaces(platform.installation)
        assert space.name == f"disk/{platform.installation.home}"
        platform.looking_until(lambda: space.name in platform.supervisor.troubles, "the notice")
        assert platform.supervisor.troubles[space.name].startswith("no space left under ")
        assert supervisor.supervisor_works(platform.installation)
        assert platform.pid(Component.SCHEDULER) == before
    os.kill(before, signal.SIGCONT)
    platform.looking_until(lambda: not platform.supervisor.troubles, "the end of trouble")
    assert platform.pid(Component.SCHEDULER) == before


def test_each_disk_that_is_nearly_full_is_told(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    space = Space(Path("/data"), free_bytes=1, total_bytes=1000)
    disks = [space, replace(space, folder=Path("/home"))]
    monkeypatch.setattr(disk_space, "NEARLY_FULL_BYTES", 10)
    monkeypatch.setattr(disk_space, "spaces", lambda _: disks)
    assert platform.supervisor.look()
    assert set(platform.incidents()) == {"disk//data", "disk//home"}
    disks[1] = replace(disks[1], free_bytes=500)
    assert platform.supervisor.look()
    assert {key for key, record in platform.incidents().items() if not record.ended} == {"disk//data"}


def test_what_an_earlier_supervisor_told_is_ended_by_the_next(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = platform.installation.settings
    tell(Incident("component/scheduler", Kind.COMPONENT, "scheduler has ended"), settings)
    tell(Incident("component/supervisor", Kind.COMPONENT, "The supervisor has ended."), settings)
    tell(Incident("disk//data", Kind.DISK, "the disk is nearly full"), settings)
    platform.supervisor = Supervisor(platform.installation, start_anew=platform.start_anew, patience=SHORT)
    platform.looking_until(lambda: not platform.supervisor.troubles, "the end of trouble")
    ended = {key for key, record in platform.incidents().items() if record.ended}
    assert ended == {"component/scheduler", "disk//data"}


def test_a_look_changes_nothing_that_a_command_is_changing(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(components, "LOCK_SECONDS", 0.0)
    before = platform.pid(Component.TRIGGERER)
    with components.exclusive(platform.installation):
        os.kill(before, signal.SIGKILL)
        platform.looking_until(lambda: platform.supervisor.troubles, "the notice")
        assert platform.pid(Component.TRIGGERER) == before
    platform.works_again(Component.TRIGGERER, before)


def test_it_outlives_what_nobody_expected(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Installation) -> Beats:
        raise OSError(errno.EIO, "Input/output error")

    before = platform.pid(Component.TRIGGERER)
    with monkeypatch.context() as failing:
        failing.setattr(heartbeats, "read", broken)
        assert platform.supervisor.look()
    os.kill(before, signal.SIGKILL)
    platform.works_again(Component.TRIGGERER, before)


def test_a_second_supervisor_of_one_platform_ends(platform: Platform) -> None:
    other = subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE)
    try:
        record = components.read_record(platform.installation)
        assert record is not None
        components.write_record(
            platform.installation, replace(record, supervisor=components.started(other.pid))
        )
        assert not platform.supervisor.look()
    finally:
        other.communicate()
    assert platform.supervisor.look()  # the other one has ended: this one takes charge
    assert platform.supervisor.look()
    taken = components.read_record(platform.installation)
    assert taken is not None
    assert taken.supervisor == components.started(os.getpid())


def test_it_ends_when_the_platform_was_stopped(platform: Platform) -> None:
    components.stop_all(platform.installation)
    assert not platform.supervisor.look()


def test_status_goes_by_heartbeats_and_by_the_supervisors(
    platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status(platform.installation) == 0, capsys.readouterr()
    scheduler, triggerer = (
        psutil.Process(platform.pid(component)) for component in (Component.SCHEDULER, Component.TRIGGERER)
    )
    scheduler.suspend()
    triggerer.kill()
    until(lambda: scheduler.status() == psutil.STATUS_STOPPED, 10, "a stopped scheduler")
    until(lambda: triggerer.status() == psutil.STATUS_ZOMBIE, 10, "the triggerer's end")
    os.utime(beat_of(platform.installation, Component.SCHEDULER), (0, 0))
    capsys.readouterr()
    assert status(platform.installation) == 1
    lines = capsys.readouterr().out.splitlines()
    said = {line.split()[0]: line for line in lines}
    assert "hangs: the last heartbeat was" in said["scheduler"]
    assert said["triggerer"].endswith("has ended")
    assert "works: heartbeat " in said["dag-processor"]
    os.utime(supervisor.state_file(platform.installation), (0, 0))
    assert status(platform.installation) == 1
    assert "supervisor     hangs" in capsys.readouterr().out
