"""Damaged and missing publications: found before a refresh, and left behind by one command.

Nothing is deleted: what is damaged is moved to `published/.left_behind/`, and the journal says so.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmark_tasks.disk import sync
from benchmark_tasks.errors import PublicationError
from benchmark_tasks.settings import Settings
from expectations.publications.store import (
    CURRENT,
    REPAIR,
    all_publications,
    current_number,
    link_problem,
    numbers,
    publishing,
    read,
    record,
    switch,
    verify,
)

LEFT_BEHIND = ".left_behind"


def require_whole(settings: Settings) -> None:
    """Check what a refresh builds on: the newest publication, the current one and the link to it.

    Raises:
        PublicationError: the first damage, and the command that leaves it behind.
    """
    problem = link_problem(settings.published)
    here = numbers(settings.published)
    if here and problem is None:
        number = current_number(settings.published)
        if number is None:
            problem = f"{settings.published / CURRENT} is missing, so readers find no publication"
        else:
            problem = next(
                (why[0] for each in sorted({here[-1], number}) if (why := damage(settings, each))), None
            )
    if problem is not None:
        raise PublicationError(f"a publication is damaged: {problem}; {REPAIR}")


def damage(settings: Settings, number: int) -> list[str]:
    """What is wrong with a publication, whether its manifest can be read or not."""
    try:
        return verify(settings, read(settings, number))
    except PublicationError as error:
        return [str(error).removesuffix(f"; {REPAIR}")]


def repair(settings: Settings) -> list[str]:
    """Leave every damaged publication behind; if it was the current one, the newest whole one becomes it.

    Returns one line per change; none if nothing was damaged.

    Raises:
        PublisherBusy: another process publishes.
    """
    with publishing(settings):
        lines = []
        for number in numbers(settings.published):
            if problems := damage(settings, number):
                lines.append(_leave_behind(settings, settings.published / str(number), problems[0]))
        link = settings.published / CURRENT
        if problem := link_problem(settings.published):
            if link.is_symlink():
                link.unlink()
                _record(settings, problem)
                lines.append(f"{problem}: the link was removed")
            else:
                lines.append(_leave_behind(settings, link, problem))
        whole = all_publications(settings)
        if whole and not os.path.lexists(link):
            switch(settings, whole[-1].number, "repaired")
            lines.append(f"publication {whole[-1].number} is current")
        elif lines and not whole:
            lines.append("no whole publication is left; `jouleboard refresh` builds a new one")
        return lines


def _leave_behind(settings: Settings, path: Path, why: str) -> str:
    """Move a folder away; returns what was done in one line."""
    target = settings.published / LEFT_BEHIND / f"{path.name}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    target.parent.mkdir(mode=0o755, exist_ok=True)
    path.rename(target)
    sync(settings.published)
    _record(
        settings, why, folder=str(target), **({"number": int(path.name)} if path.name.isdecimal() else {})
    )
    return f"{why}: moved to {target}"


def _record(settings: Settings, why: str, **more: Any) -> None:
    record(settings, {"event": "left behind", "at": f"{datetime.now(UTC):%FT%TZ}", "why": why, **more})
