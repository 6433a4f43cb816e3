"""Releases that the watch has seen on the package index, and since when: what the digest of a week says.

    $JOULEBOARD_HOME/releases/<project>.yaml

The first watch sees every release from the floor on at once. Withdrawn releases and pre-releases are not
noted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from benchmark_tasks.catalog import records
from benchmark_tasks.catalog.reading import read
from benchmark_tasks.errors import CatalogError
from benchmark_tasks.results.record import Record
from benchmark_tasks.settings import Settings


class SeenReleases(Record):
    """The releases of one project. looked_at: the last watch. releases: when each version was seen first."""

    project: str
    looked_at: datetime
    releases: dict[str, datetime]


@dataclass(frozen=True)
class Seen:
    """A release that was seen for the first time at a moment."""

    project: str
    version: str
    at: datetime


def note(project: str, versions: Iterable[str], settings: Settings, now: datetime) -> None:
    """Keep when each version was seen first, and that the index was looked at.

    Raises:
        CatalogError: the file is damaged; nothing is changed.
        DiskFull
    """
    folder = _folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{project}.yaml"
    with records.one_writer(folder):
        known = read(path, SeenReleases).releases if path.exists() else {}
        releases = dict.fromkeys(versions, now) | known
        records.write(path, SeenReleases(project=project, looked_at=now, releases=releases))


def since(settings: Settings, moment: datetime) -> list[Seen] | None:
    """Releases seen first since a moment, by project; None if this is unknown.

    It is unknown if no watch has looked since then, or if a file is damaged.
    """
    try:
        projects = [read(path, SeenReleases) for path in sorted(_folder(settings).glob("*.yaml"))]
    except CatalogError:
        return None
    if not any(each.looked_at >= moment for each in projects):
        return None
    return [
        Seen(each.project, version, at)
        for each in projects
        for version, at in each.releases.items()
        if at >= moment
    ]


def _folder(settings: Settings) -> Path:
    return settings.home / "releases"
