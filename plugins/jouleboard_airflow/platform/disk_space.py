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

_PROBE_BYTES = 1024**2
_GIB = 1024**3


@dataclass(frozen=True)
class Space:
    """The space of the disk that holds a folder."""

    folder: Path
    free_bytes: int
    total_bytes: int

    @property
    def nearly_full(self) -> bool:
        """Whether people should free some."""
        return self.free_bytes < min(NEARLY_FULL_BYTES, NEARLY_FULL_PART * self.total_bytes)

    def __str__(self) -> str:
        """For example `3.2 of 250.0 GiB free under /data`."""
        return f"{self.free_bytes / _GIB:.1f} of {self.total_bytes / _GIB:.1f} GiB free under {self.folder}"


def spaces(installation: Installation) -> list[Space]:
    """One per disk that the platform writes to: home, landing zone, database."""
    by_disk: dict[int, Space] = {}
    for folder in _folders(installation):
        usage = shutil.disk_usage(folder)
        by_disk.setdefault(folder.stat().st_dev, Space(folder, usage.free, usage.total))
    return list(by_disk.values())


def full(installation: Installation) -> Path | None:
    """The first of these folders that takes no more data (no space, or the quota is used up), or None."""
    return next((folder for folder in _folders(installation) if not _takes_data(folder)), None)


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
