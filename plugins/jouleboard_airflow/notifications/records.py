"""Incidents that are open, and those that are over but not told yet: one small file each.

Several processes note incidents; one sends. A lock keeps a note from being lost between them.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, ValidationError

from benchmark_tasks import disk
from benchmark_tasks.errors import JouleboardError
from benchmark_tasks.settings import Settings
from jouleboard_airflow.notifications.incidents import Incident

log = logging.getLogger(__name__)

LOCK_SECONDS = 2.0
_LONGEST_NAME = 200


class Record(BaseModel):
    """An incident and what was told of it.

    began, ended: when it was noted first, and when it was over (None: it is open). how: how it ended.
    told, reminded: when people were told of it, and when they were last reminded.
    """

    model_config = ConfigDict(frozen=True)

    incident: Incident
    began: datetime
    ended: datetime | None = None
    how: str = ""
    told: datetime | None = None
    reminded: datetime | None = None


class Records:
    """The records of one installation.

    What cannot be written (the disk is full) stays in this object, so that its owner tells it only once.
    """

    def __init__(self, settings: Settings) -> None:
        self.folder = settings.home / "notifications"
        self._unwritten: dict[str, Record | None] = {}

    def all(self) -> dict[str, Record]:
        """Every record by its incident's key, the oldest first. A damaged file is left out."""
        found = {}
        for file in self.folder.glob("*.json"):
            if record := _read(file):
                found[record.incident.key] = record
                _rename(file, self._file(record.incident.key))
        for key, changed in self._unwritten.items():
            found.pop(key, None)
            if changed is not None:
                found[key] = changed
        return dict(sorted(found.items(), key=lambda entry: entry[1].began))

    def get(self, key: str) -> Record | None:
        """The record of an incident; None if it is not open and not to be told."""
        if key in self._unwritten:
            return self._unwritten[key]
        record = _read(self._file(key))
        return record if record and record.incident.key == key else None

    def put(self, record: Record) -> None:
        """Write a record."""
        key = record.incident.key
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            disk.replace(self._file(key), record.model_dump_json(indent=1), mode=disk.PRIVATE)
            self._unwritten.pop(key, None)
        except (OSError, JouleboardError) as error:
            log.warning("the incident %s could not be written: %s", key, error)
            self._unwritten[key] = record

    def remove(self, key: str) -> None:
        """Forget an incident: people were told how it ended."""
        try:
            self._file(key).unlink(missing_ok=True)
            self._unwritten.pop(key, None)
        except OSError as error:
            log.warning("the incident %s could not be removed: %s", key, error)
            self._unwritten[key] = None

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the records while one is read and written again.

        On a full disk, or if another process holds them too long, they are changed without the lock.
        """
        busy = JouleboardError(f"the records in {self.folder} are in use")
        with ExitStack() as stack:
            try:
                stack.enter_context(
                    disk.lock(self.folder / "lock", busy=lambda holder: busy, wait_seconds=LOCK_SECONDS)
                )
            except (JouleboardError, OSError) as error:
                log.warning("%s", error)
            yield

    def _file(self, key: str) -> Path:
        """A key that is too long for the name of a file has its hash in the name."""
        name = quote(key, safe="")
        if len(name) > _LONGEST_NAME:
            name = f"{name[: _LONGEST_NAME - 65]}-{hashlib.sha256(key.encode()).hexdigest()}"
        return self.folder / f"{name}.json"


def _rename(file: Path, right: Path) -> None:
    """A file of an earlier version, which cut a long key off: under its name of now."""
    if file != right:
        with suppress(OSError):
            file.unlink() if right.exists() else file.rename(right)


def _read(file: Path) -> Record | None:
    with suppress(OSError, ValidationError):
        return Record.model_validate_json(file.read_bytes())
    return None
