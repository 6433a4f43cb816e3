"""Sends what was noted: each incident once, once more when it is over, and a reminder per day."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from pydantic import TypeAdapter, ValidationError

from benchmark_tasks import disk
from benchmark_tasks.settings import Settings
from jouleboard_airflow.notifications import messages
from jouleboard_airflow.notifications.incidents import Kind
from jouleboard_airflow.notifications.published import current
from jouleboard_airflow.notifications.receivers import Message, Receivers
from jouleboard_airflow.notifications.records import Record, Records

log = logging.getLogger(__name__)

_MESSAGE = TypeAdapter(Message)

REMINDER = timedelta(days=1)
ONCE = (Kind.SWEEP, Kind.RUN)
"""Told once and never again: nobody has to repair a run that failed."""

GIVEN_UP = timedelta(days=7)
"""After so long a message that is sent as it is goes to nobody any more."""

TRIED = timedelta(hours=1)
"""For so long it is tried before it is given up: the machine may have been off for a week."""

_FIRST_WAIT_SECONDS = 30.0
_LONGEST_WAIT_SECONDS = 900.0


@dataclass
class _Wait:
    """A message that no receiver took: how long to wait, and until when, by the monotonic clock.

    since: when it was tried in vain first, by this notifier.
    """

    seconds: float = 0.0
    until: float = 0.0
    since: datetime | None = None

    def longer(self, now: datetime) -> None:
        self.since = self.since or now
        self.seconds = min(max(2 * self.seconds, _FIRST_WAIT_SECONDS), _LONGEST_WAIT_SECONDS)
        self.until = time.monotonic() + self.seconds


@dataclass
class Delivery:
    """What the notifier does again and again.

    receivers: whom to tell; without any, nothing is sent and records of what is over are removed.
    board: address of the board. now: the clock.
    """

    settings: Settings
    receivers: Receivers
    records: Records
    board: str = ""
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    _waits: dict[str, _Wait] = field(default_factory=dict)
    _lost: bool = False

    def deliver(self) -> None:
        """Send what nobody was told yet.

        What no receiver takes is tried again later, and ends this round: the next one tries the others.
        """
        self._lost = False
        records = list(self.records.all().values())
        self._tell_broken([record for record in records if record.told is None])
        self._tell_well([record for record in records if record.told and record.ended])
        self._remind([record for record in records if self._to_be_reminded(record)])
        self._send_outbox()

    def _tell_broken(self, records: list[Record]) -> None:
        """Also what is over already, for example because the supervisor started it again."""
        if records and self._send("broken", messages.broken(records, current(self.settings), self.board)):
            for record in records:
                if record.ended:
                    self._forget(record)
                else:
                    self._keep(record, told=self.now(), reminded=self.now())

    def _tell_well(self, records: list[Record]) -> None:
        if records and self._send("well", messages.well(records, current(self.settings), self.board)):
            for record in records:
                self._forget(record)

    def _remind(self, records: list[Record]) -> None:
        if records and self._send("reminder", messages.reminder(records, current(self.settings), self.board)):
            for record in records:
                self._keep(record, reminded=self.now())

    def _to_be_reminded(self, record: Record) -> bool:
        if record.ended or record.reminded is None or record.incident.kind in ONCE:
            return False
        return self.now() - record.reminded >= REMINDER

    def _send_outbox(self) -> None:
        """In the order in which they were posted, as far as a receiver takes them."""
        for posted, file in _posted(outbox(self.settings)):
            message = _read(file)
            if message is None:
                _set_aside(file, "it is no message of ours")
            elif self._send(file.name, message):
                with suppress(OSError):
                    file.unlink()
            elif self.now() - posted > GIVEN_UP and self._was_tried(file.name):
                _set_aside(file, f"no receiver took it in {GIVEN_UP.days} days")
                del self._waits[file.name]

    def _was_tried(self, name: str) -> bool:
        """For so long that a network which comes up late has come up."""
        wait = self._waits.get(name)
        return wait is not None and wait.since is not None and self.now() - wait.since >= TRIED

    def _send(self, name: str, message: Message) -> bool:
        """Whether it is done with: one receiver took it, or there is none. name: what is waited with."""
        receivers = sum(service is not None for service in self.receivers.services)
        if not receivers:
            return True
        if self._lost:
            return False
        wait = self._waits.setdefault(name, _Wait())
        if time.monotonic() < wait.until:
            return False
        missed = self.receivers.send(message)
        self._lost = len(missed) == receivers
        if missed and not (self._lost and wait.seconds):
            later = "; it is tried again until one takes it" if self._lost else ""
            log.warning("not told: %s did not take %r%s", ", ".join(missed), message.title, later)
        if self._lost:
            wait.longer(self.now())
            return False
        del self._waits[name]
        log.info("told: %s", message.title)
        return True

    def _keep(self, record: Record, *, reminded: datetime, told: datetime | None = None) -> None:
        """Write when it was told, whatever else changed meanwhile."""
        with self.records.changing():
            now = self.records.get(record.incident.key) or record
            self.records.put(now.model_copy(update={"told": told or now.told, "reminded": reminded}))

    def _forget(self, record: Record) -> None:
        """Remove the record, unless the incident is back."""
        with self.records.changing():
            now = self.records.get(record.incident.key)
            if now is not None and now.ended:
                self.records.remove(record.incident.key)
            elif now is not None:
                self.records.put(Record(incident=now.incident, began=self.now()))


def outbox(settings: Settings) -> Path:
    """Messages that are to be sent as they are."""
    return settings.home / "notifications" / "outbox"


def post(message: Message, settings: Settings) -> None:
    """Have a message sent by the notifier.

    Raises:
        DiskFull
    """
    folder = outbox(settings)
    folder.mkdir(parents=True, exist_ok=True)
    content = {"title": message.title, "text": message.text, "mood": message.mood.value, "html": message.html}
    disk.replace(folder / f"{uuid4()}.json", json.dumps(content), mode=disk.PRIVATE)


def _posted(folder: Path) -> list[tuple[datetime, Path]]:
    found = []
    for file in folder.glob("*.json"):
        with suppress(OSError):
            found.append((datetime.fromtimestamp(file.stat().st_mtime, UTC), file))
    return sorted(found)


def _read(file: Path) -> Message | None:
    with suppress(OSError, ValidationError):
        return _MESSAGE.validate_json(file.read_bytes())
    return None


def _set_aside(file: Path, why: str) -> None:
    """It stays, under a name that is not read again."""
    log.warning("not told: %s: %s", file, why)
    with suppress(OSError):
        file.rename(file.with_suffix(".not-sent"))
