"""Keeps the platform's components alive: what has ended or hangs is started again, and people are told.

`make up` leaves one supervisor in the background; under systemd it is the service itself
(`docs/how-to/run-as-a-service.md`). Every 5 seconds it reads the heartbeats (`heartbeats.py`). It goes by the
record of `platform.json`, so a component that `make up` started anew is its own again.

- The database comes first: without it, nothing is known of the others. It comes back on its old port; if that
  fails, the platform is started anew on another.
- A component that ends again and again is started less and less often (`watch.py`), and people are told that
  it cannot start.
- While the disk is full, nothing is started or ended: what hangs goes on by itself once there is space.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from benchmark_tasks import disk
from benchmark_tasks.errors import JouleboardError
from benchmark_tasks.processes import log_tail
from jouleboard_airflow.notifications import Incident, Kind, recovered, tell
from jouleboard_airflow.notifications.records import Records
from jouleboard_airflow.platform import components, database, disk_space, heartbeats
from jouleboard_airflow.platform.components import Component, Record
from jouleboard_airflow.platform.heartbeats import Beats
from jouleboard_airflow.platform.installation import Installation
from jouleboard_airflow.platform.watch import SILENT_SECONDS, Patience, Verdict, Watch

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
PATIENCE = Patience(at_work_seconds=90.0, at_start_seconds=180.0)
"""A busy machine may delay a heartbeat by many seconds, and a restart of the scheduler ends its tasks."""

API_PATIENCE = Patience(at_work_seconds=45.0, at_start_seconds=180.0)
"""A restart ends no task, and a task that cannot report for long is given up."""

DATABASE_PATIENCE = Patience(at_work_seconds=60.0, at_start_seconds=300.0)
"""After a crash the database works through its journal; while it says so, it does not hang."""


class Supervisor:
    """Looks after the components of one installation.

    Args:
        installation: whose components.
        start_anew: stops all components and starts them again, the database on another port.
        die_with_me: components that it starts stop when this process ends, however it ends.
        patience: how long a component may give no sign of life.
    """

    def __init__(
        self,
        installation: Installation,
        *,
        start_anew: Callable[[], None],
        die_with_me: bool = False,
        patience: dict[Component, Patience] | None = None,
    ) -> None:
        self.installation = installation
        self._me = components.started(os.getpid())
        self._start_anew = start_anew
        self._die_with_me = die_with_me
        now = time.monotonic()
        chosen = dict.fromkeys(Component, PATIENCE)
        chosen |= {Component.DATABASE: DATABASE_PATIENCE, Component.API_SERVER: API_PATIENCE}
        chosen |= patience or {}
        self.watches = {component: Watch(chosen[component], now) for component in Component}
        self._records = Records(installation.settings)
        self.troubles = _open_troubles(self._records)
        self._saved: dict[str, str] | None = None

    def run(self, after_each_look: Callable[[], None] = lambda: None) -> None:
        """Look every few seconds, until the platform is stopped."""
        while self.look():
            after_each_look()
            _reap()
            time.sleep(LOOK_SECONDS)

    def look(self) -> bool:
        """Look once, and start what must be started.

        Returns whether to look again: not if the platform was stopped or has another supervisor.
        """
        try:
            record = components.read_record(self.installation)
            if record is None or (record.supervisor != self._me and record.supervised):
                return False
            self._look(record)
        except JouleboardError as error:  # for example a full disk, or a command that holds the lock
            log.warning("%s", error)
        except Exception:
            log.exception("a look failed; the next one follows")
        self._save()
        return True

    def _take_charge(self) -> None:
        """Write into the record that this process is the supervisor; on a full disk, later."""
        with components.exclusive(self.installation):
            record = components.read_record(self.installation)
            if record and not record.supervised:
                components.write_record(self.installation, replace(record, supervisor=self._me))

    def _look(self, record: Record) -> None:
        self._look_at_disks()
        beats = heartbeats.read(self.installation)
        verdicts = {component: self._verdict(component, record, beats) for component in Component}
        for component in beats.last:
            if verdicts[component] is Verdict.WORKS:
                self._end_trouble(component.value, f"{component.value} works again")
        if record.supervisor != self._me:
            self._take_charge()
        elif verdicts[Component.DATABASE] in (Verdict.ENDED, Verdict.HANGS):
            self._mend(Component.DATABASE, verdicts[Component.DATABASE], record, beats)
        elif Component.DATABASE in beats.last:
            for component, verdict in verdicts.items():
                if verdict in (Verdict.ENDED, Verdict.HANGS):
                    self._mend(component, verdict, record, beats)

    def _verdict(self, component: Component, record: Record, beats: Beats) -> Verdict:
        started = record.components.get(component)
        alive = started is not None and started.process() is not None
        now = time.monotonic()
        watch = self.watches[component]
        beat = beats.last.get(component)
        if component is Component.DATABASE:
            if beats.database_refuses:
                watch.pause(now)
        elif Component.DATABASE not in beats.last:
            watch.pause(now)
        return watch.look(alive=alive, beat=beat, now=now)

    def _mend(self, component: Component, verdict: Verdict, record: Record, beats: Beats) -> None:
        """Start a component again, unless it is too early for that or the disk is full."""
        watch = self.watches[component]
        self._begin_trouble(component, verdict)
        if not watch.may_start(time.monotonic()):
            return
        if full := disk_space.full(self.installation):
            for name, folder in full.items():
                self._begin(name, f"no space left under {folder}: free some; the platform goes on then", "")
            return
        with components.exclusive(self.installation):
            if components.read_record(self.installation) != record:
                return  # somebody else has started or stopped something
            log.warning("starting %s again, as it %s", component.value, verdict.value)
            first = watch.starts == 0
            watch.started(time.monotonic(), beats.last.get(component))
            if component is Component.DATABASE:
                self._start_database(record, on_old_port=first)
            else:
                self._start(component, record)

    def _start(self, component: Component, record: Record, database_port: int | None = None) -> None:
        if old := record.components.get(component):
            components.end(self.installation, old)
        new = components.start(
            component, self.installation, die_with_me=self._die_with_me, database_port=database_port
        )
        try:
            components.write_record(self.installation, record.having(component, new))
        except JouleboardError:  # nobody would know of it
            components.end(self.installation, new)
            raise

    def _start_database(self, record: Record, *, on_old_port: bool) -> None:
        """On its old port, which the other components know; if that failed, on another with all of them."""
        own = database.cluster(self.installation)
        port = own.port()
        if port and on_old_port:
            own.kill()
            self._start(Component.DATABASE, record, port)
        else:
            for other in set(Component) - {Component.DATABASE}:
                self.watches[other].started(time.monotonic(), None)
            self._start_anew()

    def _begin_trouble(self, component: Component, verdict: Verdict) -> None:
        if self.watches[component].cannot_start:
            lines = log_tail(components.previous_log_file(self.installation, component), 1)
            what = f"{component.value} cannot start; it is tried again every 10 minutes"
            self._begin(component.value, what, _last_line(lines))
        elif component.value not in self.troubles:
            lines = log_tail(components.log_file(self.installation, component), 1)
            self._begin(component.value, f"{component.value} {verdict.value}", _last_line(lines))

    def _look_at_disks(self) -> None:
        low = {space.name: space for space in disk_space.spaces(self.installation) if space.nearly_full}
        for name in low.keys() - self.troubles.keys():
            self._begin(name, f"the disk is nearly full: {low[name]}", "")
        over = [name for name in self.troubles if name.startswith(disk_space.NAMES) and name not in low]
        full = disk_space.full(self.installation) if over else {}
        for name in over:
            if name not in full:
                self._end_trouble(name, "there is space again")

    def _begin(self, name: str, what: str, why: str) -> None:
        if self.troubles.get(name) == what:
            return
        self.troubles[name] = what
        log.error("%s%s", what, f": {why}" if why else "")
        incident = Incident(_key(name), _kind(name), what, why)
        tell(incident, self.installation.settings, records=self._records)

    def _end_trouble(self, name: str, how: str) -> None:
        if self.troubles.pop(name, None):
            log.warning("%s", how)
            recovered(_key(name), self.installation.settings, how, records=self._records)

    def _save(self) -> None:
        """Show that this supervisor works, and what troubles it."""
        file = state_file(self.installation)
        if self._saved != self.troubles:
            with suppress(OSError, JouleboardError):  # on a full disk it beats all the same
                disk.replace(file, json.dumps(self.troubles), durable=False)
                self._saved = dict(self.troubles)
        with suppress(OSError):
            heartbeats.beat(file)


def _kind(name: str) -> Kind:
    return Kind.DISK if name.startswith(disk_space.NAMES) else Kind.COMPONENT


def _key(name: str) -> str:
    """The key of the incident: a disk's name is one already."""
    return name if _kind(name) is Kind.DISK else f"{Kind.COMPONENT}/{name}"


def _open_troubles(records: Records) -> dict[str, str]:
    """What an earlier supervisor told and nobody has ended: this one sees when it is over."""
    told = {
        record.incident.key: record.incident.what for record in records.all().values() if not record.ended
    }
    names = {_key(component.value): component.value for component in Component}
    disks = {key: key for key in told if key.startswith(disk_space.NAMES)}
    return {name: told[key] for key, name in (names | disks).items() if key in told}


def _last_line(lines: tuple[str, ...]) -> str:
    """The end of a log, which may say why; or may not."""
    return f"the last line of its log is: {lines[-1]}" if lines else ""


def state_file(installation: Installation) -> Path:
    """What troubles the platform, as JSON; its time is the supervisor's heartbeat."""
    return installation.home / "supervisor.json"


def supervisor_works(installation: Installation) -> bool:
    """Whether a supervisor showed recently that it works."""
    age = heartbeats.age_seconds(heartbeats.last_beat(state_file(installation)))
    return age is not None and age <= SILENT_SECONDS


def _reap() -> None:
    """Let the system forget components that this process started and that have ended."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
