"""What housekeeping may free: one entry per thing, with its size and the call that removes it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Kind(StrEnum):
    """What grows."""

    ENVIRONMENTS = "environments"
    TASK_LOGS = "task logs"
    AIRFLOW_DATABASE = "Airflow's database"
    RAW = "raw"
    IMPORTS = "imports"
    PUBLICATIONS = "publications"


@dataclass(frozen=True)
class Removable:
    """One thing that is not needed any more.

    what: its name. bytes: what its removal frees. remove: removes it; returns the bytes that were freed.
    """

    what: str
    bytes: int
    remove: Callable[[], int]


@dataclass(frozen=True)
class Findings:
    """What there is of one kind. total_bytes: all of it. note: why nothing, or not all, can be freed."""

    kind: Kind
    total_bytes: int
    removable: tuple[Removable, ...] = ()
    note: str = ""

    @property
    def removable_bytes(self) -> int:
        """What could be freed."""
        return sum(item.bytes for item in self.removable)


def size(path: Path) -> int:
    """Bytes that the files of a tree take on the disk; each file once, however many names it has."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                status = (Path(folder) / name).lstat()
            except FileNotFoundError:
                continue
            if (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                total += status.st_blocks * 512
    return total
