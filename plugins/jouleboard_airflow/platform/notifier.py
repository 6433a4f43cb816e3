"""The process that tells people what broke: it sends what others noted, and looks at Airflow's runs itself.

`python -m jouleboard_airflow.platform.notifier` runs it in the foreground. On one machine the supervisor
keeps it alive (`Keeper`), and `make up` passes the addresses on in a private file. With docker compose it is
a service of its own, and it also looks at the components and disks, because nobody else does there.

It is no part of Airflow, and asks Airflow's database and not the scheduler: so it can tell that the scheduler
is dead. It does not end when a receiver, the database or the disk fails: each is one line in its log.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmark_tasks import disk
from benchmark_tasks.errors import JouleboardError, one_line
from benchmark_tasks.settings import Settings
from jouleboard_airflow.notifications import Incident, Kind, in_airflow, recovered, tell
from jouleboard_airflow.notifications.delivery import Delivery
from jouleboard_airflow.notifications.receivers import VARIABLE, Receivers, former_setting
from jouleboard_airflow.notifications.records import Record, Records
from jouleboard_airflow.platform import components, database, disk_space, heartbeats
from jouleboard_airflow.platform.installation import Installation
from jouleboard_airflow.platform.supervisor import supervisor_works

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
LOOK_SECONDS = 15.0
CONFIRMED = 3
"""A component must be found broken in so many looks in a row: one slow answer is no incident."""

RESTART_SECONDS = 10.0
HANGS_SECONDS = 600.0
"""Sending to many services that do not answer takes minutes."""

_CONNECTION = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
_INNER_ADDRESS = "AIRFLOW__CORE__EXECUTION_API_SERVER_URL"
_BASE_URL = "AIRFLOW__API__BASE_URL"


@dataclass
class Notifier:
    """One notifier. environment: says what docker compose configures."""

    installation: Installation
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def __post_init__(self) -> None:
        settings = self.installation.settings
        self.records = Records(settings)
        self.base_url = (self.environment.get(_BASE_URL) or self.installation.url).rstrip("/")
        self.delivery = Delivery(settings, Receivers(), self.records, f"{self.base_url}/plugin/leaderboard")
        self._setting: str | None = None
        self._next_look = 0.0
        self._suspected = dict.fromkeys(
            (key for key, record in self.records.all().items() if _is_component(record)), CONFIRMED
        )

    def tick(self) -> None:
        """Look if it is time for that, and send what is new."""
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + LOOK_SECONDS
            self.read_setting()
            self.look()
        self.delivery.deliver()
        with suppress(OSError):
            heartbeats.beat(state_file(self.installation.settings))

    def read_setting(self) -> None:
        """Use the receivers that are configured now; says so when they change."""
        try:
            setting = self.environment.get(VARIABLE) or passed_on(self.installation)
            receivers = Receivers.from_environment({VARIABLE: setting})
        except (OSError, JouleboardError) as error:
            self._use(Receivers(), f"nobody is told: {one_line(error)}")
            return
        if not receivers.addresses:
            self._use(receivers, former_setting(self.environment) or nobody_is_told())
            return
        if receivers != self.delivery.receivers:
            self._use(receivers, _described(receivers))

    def look(self) -> None:
        """Note what is broken in Airflow, and what is well again."""
        try:
            self._look_at_airflow()
        except Exception as error:  # noqa: BLE001  the database is down, or a table is not as expected
            self._suspect(
                "component/database", f"Airflow's database does not answer: {one_line(error)[:200]}"
            )
        else:
            self._clear("component/database")
        if _INNER_ADDRESS in self.environment:
            self._look_at_components(self.environment[_INNER_ADDRESS])
            self._look_at_disks()
        else:
            self._look_at_supervisor()

    def _look_at_airflow(self) -> None:
        from sqlalchemy import create_engine
        from sqlalchemy.pool import NullPool

        url = self.environment.get(_CONNECTION) or database.address(self.installation)
        options = {"connect_timeout": 5, "options": "-c statement_timeout=10s"}
        engine = create_engine(url, poolclass=NullPool, connect_args=options)
        with engine.connect() as connection:
            found = in_airflow.look(connection, self.base_url, frozenset(self.records.all()))
        in_airflow.reconcile(found, self.records, self.installation.settings)

    def _look_at_components(self, address: str) -> None:
        report = heartbeats.health(address)
        if report is None:
            self._suspect("component/api-server", "The API server does not answer.")
            return
        self._clear("component/api-server")
        for name in ("scheduler", "dag_processor", "triggerer"):
            key, shown = f"component/{name.replace('_', '-')}", name.replace("_", " ")
            if (report.get(name) or {}).get("status") == "healthy":
                self._clear(key)
            else:
                self._suspect(key, f"The {shown} gives no sign of life.")

    def _look_at_supervisor(self) -> None:
        key = "component/supervisor"
        if supervisor_works(self.installation) or components.read_record(self.installation) is None:
            self._clear(key)
        else:
            self._suspect(key, "The supervisor has ended: nothing restarts components that end.")

    def _look_at_disks(self) -> None:
        for space in disk_space.spaces(self.installation):
            if space.nearly_full:
                incident = Incident(space.name, Kind.DISK, f"The disk is nearly full: {space}.")
                tell(incident, self.installation.settings, records=self.records)
            else:
                how = "There is space again."
                recovered(space.name, self.installation.settings, how, records=self.records)

    def _suspect(self, key: str, what: str, why: str = "") -> None:
        self._suspected[key] = self._suspected.get(key, 0) + 1
        if self._suspected[key] >= CONFIRMED:
            tell(Incident(key, Kind.COMPONENT, what, why), self.installation.settings, records=self.records)

    def _clear(self, key: str) -> None:
        if self._suspected.pop(key, 0) >= CONFIRMED:
            recovered(key, self.installation.settings, "It works again.", records=self.records)

    def _use(self, receivers: Receivers, line: str) -> None:
        self.delivery.receivers = receivers
        if line != self._setting:
            self._setting = line
            log.info("%s", line)
            with suppress(OSError, JouleboardError):
                state = state_file(self.installation.settings)
                state.parent.mkdir(parents=True, exist_ok=True)
                disk.replace(state, json.dumps({"line": line}), mode=disk.PRIVATE)


def main() -> None:
    """Run until this process is stopped. A second notifier of the same home ends at once."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stdout)
    logging.raiseExceptions = False  # the disk may be full
    for chatty in ("httpx", "httpcore"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    installation = Installation.from_environment()
    with disk.lock(installation.settings.home / "notifications" / "notifier.lock", busy=_second):
        notifier = Notifier(installation)
        while True:
            notifier.tick()
            time.sleep(TICK_SECONDS)


class Keeper:
    """Keeps a notifier alive. die_with_me: it ends when this process ends, however it ends."""

    def __init__(self, installation: Installation, *, die_with_me: bool) -> None:
        self.installation = installation
        self._die_with_me = die_with_me
        self._process: subprocess.Popen[bytes] | None = None
        self._next_start = 0.0

    def keep(self) -> None:
        """Start it unless it works; end it if it hangs. One that an earlier supervisor started works, too."""
        age = heartbeats.age_seconds(heartbeats.last_beat(state_file(self.installation.settings)))
        if self._process is not None and self._process.poll() is None:
            if age is not None and age > HANGS_SECONDS:
                self._process.kill()
            return
        works = self._process is None and age is not None and age < LOOK_SECONDS
        if works or time.monotonic() < self._next_start:
            return
        self._next_start = time.monotonic() + RESTART_SECONDS
        with (self.installation.component_logs / "notifier.log").open("ab") as output:
            command = [sys.executable, "-m", "jouleboard_airflow.platform.notifier"]
            self._process = components.spawn(
                command, self.installation, output, die_with_me=self._die_with_me
            )


def pass_on(installation: Installation, environment: Mapping[str, str] = os.environ) -> None:
    """Leave the setting to the notifier, in a file that only its owner can read.

    Other processes of the platform do not get it (`Installation.environment`): tasks run the code of others.
    Without the variable the last setting stays; an empty one removes it.
    """
    if VARIABLE in environment:
        disk.replace(_setting_file(installation), environment[VARIABLE], mode=disk.PRIVATE)


def passed_on(installation: Installation) -> str:
    """The setting of the last `make up`."""
    try:
        return _setting_file(installation).read_text()
    except FileNotFoundError:
        return ""


def status_line(settings: Settings) -> str:
    """Who is told, in one line, for `make status`."""
    try:
        return str(json.loads(state_file(settings).read_text())["line"])
    except (OSError, ValueError, KeyError):
        return nobody_is_told()


def state_file(settings: Settings) -> Path:
    """Says who is told; its time is the notifier's heartbeat."""
    return settings.home / "notifications" / "notifier.state"


def nobody_is_told() -> str:
    """The line for an installation without receivers."""
    return f"nobody is told when something breaks: set {VARIABLE} (docs/how-to/notifications.md)"


def _is_component(record: Record) -> bool:
    """Open since before this notifier started: it sees when the component works again."""
    return record.incident.kind is Kind.COMPONENT and record.ended is None


def _described(receivers: Receivers) -> str:
    known = [service for service in receivers.services if service]
    wrong = [str(number) for number, service in enumerate(receivers.services, start=1) if not service]
    told = f"told: {', '.join(known)}" if known else "nobody is told"
    not_understood = f"; {VARIABLE}: Apprise does not understand address {', '.join(wrong)}" if wrong else ""
    return told + not_understood


def _second(_holder: str) -> JouleboardError:
    return JouleboardError("another notifier of this home runs already")


def _setting_file(installation: Installation) -> Path:
    return installation.home / "notify"


if __name__ == "__main__":
    try:
        main()
    except JouleboardError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
