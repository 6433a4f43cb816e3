"""Messages in words: Jinja2 templates over records. The first line of a template is the title."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from expectations.pages import templates_in
from jouleboard_airflow.notifications.published import Published
from jouleboard_airflow.notifications.receivers import Message, Mood
from jouleboard_airflow.notifications.records import Record

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
LONGEST = 600
"""Characters of a reason that a message shows; the link leads to all of it."""

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def broken(records: Sequence[Record], published: Published | None, board: str) -> Message:
    """What broke just now."""
    return _message("broken.txt", Mood.BROKEN, records, published, board)


def well(records: Sequence[Record], published: Published | None, board: str) -> Message:
    """What is well again: one line per incident."""
    return _message("well.txt", Mood.WELL, records, published, board)


def reminder(records: Sequence[Record], published: Published | None, board: str) -> Message:
    """What is still broken after a day."""
    return _message("reminder.txt", Mood.BROKEN, records, published, board)


def _message(
    template: str, mood: Mood, records: Sequence[Record], published: Published | None, board: str
) -> Message:
    text = (
        _environment()
        .get_template(template)
        .render(records=records, published=published, board=board, host=socket.gethostname())
    )
    title, _, body = text.partition("\n")
    return Message(title.strip(), body.strip() + "\n", mood)


def _environment() -> Environment:
    environment = templates_in(TEMPLATES, escape=False)
    environment.filters |= {"moment": moment, "sentence": sentence, "span": span, "short": short}
    return environment


def moment(time: datetime) -> str:
    """Like `2026-11-28 11:40 UTC`."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def span(seconds: float) -> str:
    """Like `40 seconds`, `3 minutes`, `31 hours`, `3 days`."""
    for unit, name, limit in ((1, "second", 120), (_MINUTE, "minute", 120), (_HOUR, "hour", 48)):
        count = int(seconds // unit)
        if count < limit:
            return f"{count} {name}" + ("" if count == 1 else "s")
    return f"{int(seconds // _DAY)} days"


def sentence(text: str) -> str:
    """The text with a full stop."""
    return text if not text or text.endswith((".", "?", "!")) else f"{text}."


def short(text: str) -> str:
    """The text, cut off if it is long."""
    return text if len(text) <= LONGEST else text[:LONGEST].rstrip() + " ..."
