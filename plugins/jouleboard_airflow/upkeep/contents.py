"""What belongs to a backup: everything of an installation that cannot be made again.

Paths in a backup are those below `JOULEBOARD_HOME`; the landing zone is `raw/` wherever it lies.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmark_tasks.settings import Settings

RAW = "raw"
PUBLISHED = "published"
AIRFLOW = "airflow"
HISTORY = "airflow/history.dump"
"""Airflow's history in a backup, as pg_dump writes it."""

MADE_AGAIN = frozenset({"environments", "warehouse", "locks", "scratch", "caches", "queue", "worker"})
"""Folders of a home whose content is made again when it is needed, or means nothing elsewhere."""

_OF_THIS_MACHINE = frozenset(
    {
        "airflow.cfg",
        "airflow.db",
        "components",
        "dag_processor",
        "platform.json",
        "platform.lock",
        "postgres",
    }
)
"""Names in `airflow/` that are left out: the database's files (a dump takes their place), and what `make up`
writes anew."""

_HIDDEN = frozenset({".outgoing", ".cold"})
"""Of the hidden folders only these hold what must be kept; others are being written."""

_KNOWN = "warehouse/kept"
"""What is known of bundles; those in cold storage would have to be fetched to know it again."""


@dataclass(frozen=True)
class Item:
    """A file or link to be backed up, and where it belongs.

    source: where it lies now. path: below the home, with slashes.
    """

    source: Path
    path: str

    @property
    def is_secret(self) -> bool:
        """Whether it is one of Airflow's files that only their owner may read."""
        of_airflow = self.path.startswith(f"{AIRFLOW}/") and self.path.count("/") == 1
        return of_airflow and not stat.S_IMODE(self.source.lstat().st_mode) & 0o077


def kept(settings: Settings) -> Iterator[Item]:
    """Everything but publications and landed runs: decisions, catalog, proposals, imports, logs, secrets."""
    for path in sorted(settings.home.iterdir()) if settings.home.is_dir() else ():
        if path.name.startswith(".") or path.name in MADE_AGAIN | {RAW, PUBLISHED}:
            continue
        left_out = _OF_THIS_MACHINE if path.name == AIRFLOW else frozenset()
        yield from _below(path, path.name, left_out)
    yield from _below(settings.home / _KNOWN, _KNOWN)


def runs(settings: Settings) -> Iterator[Item]:
    """Landed runs, runs that wait to be sent, and the records of those in cold storage.

    What a measurement is writing is not among them.
    """
    if settings.raw.is_dir():
        yield from _below(settings.raw, RAW)


def published(settings: Settings, names: frozenset[str]) -> Iterator[Item]:
    """The publications, or other parts of that folder, of these names."""
    for name in sorted(names):
        yield from _below(settings.published / name, f"{PUBLISHED}/{name}")


def present(settings: Settings) -> list[Path]:
    """Top-level parts of a home that a restored backup would be mixed with."""
    places = list(settings.home.iterdir()) if settings.home.is_dir() else []
    if settings.raw_folder and settings.raw_folder != settings.home / RAW:
        places.append(settings.raw_folder)
    return sorted(
        path
        for path in places
        if not path.name.startswith(".") and path.name not in MADE_AGAIN and _holds_files(path)
    )


def _holds_files(path: Path) -> bool:
    if path.is_symlink() or not path.is_dir():
        return path.exists()
    for folder, _, files in os.walk(path):
        if any(not name.startswith(".") for name in files) or (Path(folder) / "data").is_dir():
            return True
    return False


def _below(path: Path, name: str, left_out: frozenset[str] = frozenset()) -> Iterator[Item]:
    """Plain files and links of a tree, and folders that are empty or cannot be read.

    Hidden names are skipped: they are being written.
    """
    if path.is_symlink() or path.is_file():
        yield Item(path, name)
        return
    try:
        entries = sorted(path.iterdir())
    except PermissionError:
        yield Item(path, name)
        return
    except (FileNotFoundError, NotADirectoryError):
        return  # it vanished meanwhile, or is a pipe or socket
    if not entries:
        yield Item(path, name)
    for entry in entries:
        if (entry.name.startswith(".") and entry.name not in _HIDDEN) or entry.name in left_out:
            continue
        yield from _below(entry, f"{name}/{entry.name}", left_out)
