"""Small YAML files that hold one record each: written whole, one writer at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from benchmark_tasks import disk
from benchmark_tasks.results.record import Record


def file_of(folder: Path, model_id: str, separator: str = "__") -> Path:
    """The file of a model. A hub id has exactly one slash, and letters that are safe in a file's name."""
    return folder / f"{model_id.replace('/', separator)}.yaml"


def write(path: Path, record: Record, *, compact: bool = False) -> None:
    """Replace a file: readers see the old record or the new. compact: leave out default values.

    Raises:
        DiskFull: nothing was changed.
    """
    disk.replace(path, _text_of(record, compact))


def create(path: Path, record: Record) -> bool:
    """Write a file unless it exists; returns whether it was written, also when two processes try at once.

    Raises:
        DiskFull: nothing was written.
    """
    return disk.create(path, _text_of(record, False))


@contextmanager
def one_writer(folder: Path) -> Iterator[None]:
    """Hold a folder's lock; the kernel releases it when the process ends."""
    with disk.lock(folder / ".lock"):
        yield


def _text_of(record: Record, compact: bool) -> str:
    content = record.model_dump(mode="json", exclude_defaults=compact)
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110)
