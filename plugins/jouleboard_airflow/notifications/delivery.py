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

from benchmark_tasks import disk
from benchmark_tasks.settings import Settings
from jouleboard_airflow.notifications import messages
from jouleboard_airflow.notifications.incidents import Kind
from jouleboard_airflow.notifications.published import current
from jouleboard_airflow.notifications.receivers import Message, Mood, Receivers
from jouleboard_airflow.notifications.records import Record, Records

log = logging.getLogger(__name__)

REMINDER = timedelta(days=1)
ONCE = (Kind.SWEEP, Kind.RUN)
"""Told once and never again: nobody has to repair a run that failed."""

_FIRST_WAIT_SECONDS = 30.0
_LONGEST_WAIT_SECONDS = 900.0


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
    _wait_seconds: float = 0.0
    _next_try: float = 0.0

    def deliver(self) -> None:
        """Send what nobody was told yet. If no receiver takes it, it is tried again later."""
        if time.monotonic() < self._next_try:
            return
        records = list(self.records.all().values())
        self._tell_broken([record for record in records if record.told is None])
        self._tell_well([record for record in records if record.told and record.ended])
        self._remind([record for record in records if self._to_be_reminded(record)])
        self._send_outbox()

    def _tell_broken(self, records: list[Record]) -> None:
        """Also what is over already, for example because the supervisor started it again."""
        if records and self._send(messages.broken(records, current(self.settings), self.board)):
            for record in records:
                if record.ended:
                    self._forget(record)
                else:
                    self._keep(record, told=self.now(), reminded=self.now())

    def _tell_well(self, records: list[Record]) -> None:
        if records and self._send(messages.well(records, current(self.settings), self.board)):
            for record in records:
                self._forget(record)

    def _remind(self, records: list[Record]) -> None:
        if records and self._send(messages.reminder(records, current(self.settings), self.board)):
            for record in records:
                self._keep(record, reminded=self.now())

    def _to_be_reminded(self, record: Record) -> bool:
        if record.ended or record.reminded is None or record.incident.kind in ONCE:
            return False
        return self.now() - record.reminded >= REMINDER

    def _send_outbox(self) -> None:
        for file in sorted(outbox(self.settings).glob("*.json")):
            if self._send(_read(file)):
                with suppress(OSError):
                    file.unlink()

    def _send(self, message: Message | None) -> bool:
        """Whether it is done with: one receiver took it, or there is none."""
        receivers = sum(service is not None for service in self.receivers.services)
        if message is None or not receivers:
            return True
        if time.monotonic() < self._next_try:
            return False
        missed = self.receivers.send(message)
        lost = len(missed) == receivers
        if missed and (not lost or not self._wait_seconds):
            later = "; it is tried again until one takes it" if lost else ""
            log.warning("not told: %s did not take %r%s", ", ".join(missed), message.title, later)
        if lost:
            self._wait_seconds = min(max(2 * self._wait_seconds, _FIRST_WAIT_SECONDS), _LONGEST_WAIT_SECONDS)
            self._next_try = time.monotonic() + self._wait_seconds
            return False
        self._wait_seconds = 0.0
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


def _read(file: Path) -> Message | None:
    try:
        content = json.loads(file.read_text())
        return Message(content["title"], content["text"], Mood(content["mood"]), content["html"])
    except (OSError, ValueError, KeyError):
        return None
