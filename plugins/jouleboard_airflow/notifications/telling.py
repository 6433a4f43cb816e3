"""Note that something broke, or is well again. Nothing here waits for a receiver, and nothing here raises."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from benchmark_tasks.settings import Settings
from jouleboard_airflow.notifications.incidents import Incident
from jouleboard_airflow.notifications.records import Record, Records

log = logging.getLogger(__name__)


def tell(incident: Incident, settings: Settings, *, records: Records | None = None) -> None:
    """Note an incident; people are told of it once, and are reminded daily while it is open.

    records: those of a process that lives on; by default they are read from the disk.
    """
    _change(records or Records(settings), lambda kept: _opened(kept, incident))


def recovered(key: str, settings: Settings, how: str = "", *, records: Records | None = None) -> None:
    """Note that the incident with this key is over; people are told so once. Without one, nothing happens.

    how: how it ended, in one sentence.
    """
    _change(records or Records(settings), lambda kept: _closed(kept, key, how))


def _opened(records: Records, incident: Incident) -> None:
    known = records.get(incident.key)
    if known is None:
        records.put(Record(incident=incident, began=datetime.now(UTC)))
    elif known.ended is not None or known.incident != incident:
        records.put(known.model_copy(update={"incident": incident, "ended": None, "how": ""}))


def _closed(records: Records, key: str, how: str) -> None:
    known = records.get(key)
    if known is not None and known.ended is None:
        records.put(known.model_copy(update={"ended": datetime.now(UTC), "how": how}))


def _change(records: Records, change: Callable[[Records], None]) -> None:
    """Change the records; whatever goes wrong is one entry in the log of the caller."""
    try:
        with records.changing():
            change(records)
    except Exception:
        log.exception("an incident could not be noted")
