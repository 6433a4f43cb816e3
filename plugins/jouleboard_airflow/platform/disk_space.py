"""How much space the platform's folders have left, and whether they can be written at all."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from jouleboard_airflow.platform import database
from jouleboard_airflow.platform.installation import Installation

NEARLY_FULL_BYTES = 10 * 1024**3
NEARLY_FULL_PART = 0.05
"""A disk is nearly full below both: 10 GiB, and 5 % of its size."""

NAMES = "disk/"
"""How the names of disks begin."""

_PROBE_BYTES = 1024**2
_GIB = 1024**3


@dataclass(frozen=True)
class Space:
    """The space of the disk that holds a folder."""

    folder: Path
    free_bytes: int
    total_bytes: int

    @property
    def name(self) -> str:
        """The name of this disk."""
        return name_of(self.folder)

    @property
    def nearly_full(self) -> bool:
        """Whether people should free some."""
        return self.free_bytes < min(NEARLY_FULL_BYTES, NEARLY_FULL_PART * self.total_bytes)

    def __str__(self) -> str:
        """For example `3.2 of 250.0 GiB free under /data`."""
        return f"{self.free_bytes / _GIB:.1f} of {self.total_bytes / _GIB:.1f} GiB free under {self.folder}"


def spaces(installation: Installation) -> list[Space]:
    """One per disk that the platform writes to: home, landing zone, database."""
    usages = {folder: shutil.disk_usage(folder) for folder in _by_disk(installation).values()}
    return [Space(folder, usage.free, usage.total) for folder, usage in usages.items()]


def full(installation: Installation) -> dict[str, Path]:
    """Disks that take no more data (no space, or the quota is used up): a folder there by the disk's name."""
    disks = _by_disk(installation)
    found: dict[str, Path] = {}
    for folder in _folders(installation):
        if not _takes_data(folder):
            found.setdefault(name_of(disks[folder.stat().st_dev]), folder)
    return found


def name_of(folder: Path) -> str:
    """The name of the disk of a `Space`: the key of incidents on it."""
    return f"{NAMES}{folder}"


def _by_disk(installation: Installation) -> dict[int, Path]:
    """The first folder on each disk."""
    disks: dict[int, Path] = {}
    for folder in _folders(installation):
        disks.setdefault(folder.stat().st_dev, folder)
    return disks


def _folders(installation: Installation) -> list[Path]:
    wanted = (installation.home, database.folder(installation), installation.settings.raw)
    return [next(folder for folder in (path, *path.parents) if folder.exists()) for path in wanted]


def _takes_data(folder: Path) -> bool:
    """Try it: what a quota leaves stands nowhere. Any other refusal is not about space."""
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(os.urandom(_PROBE_BYTES))
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        return error.errno not in (errno.ENOSPC, errno.EDQUOT)
    return True
