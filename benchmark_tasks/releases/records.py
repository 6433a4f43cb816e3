"""Small YAML files that hold one record each: written whole, one writer at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import yaml

from benchmark_tasks.results.schema import Record
from benchmark_tasks.results.store import disk_full_is_an_error, sync


def file_of(folder: Path, model_id: str, separator: str = "__") -> Path:
    """The file of a model. A hub id has exactly one slash, and letters that are safe in a file's name."""
    return folder / f"{model_id.replace('/', separator)}.yaml"


def write(path: Path, record: Record, *, compact: bool = False) -> None:
    """Replace a file: readers see the old record or the new. compact: without what is the default anyway.

    Raises:
        DiskFull: nothing was changed.
    """
    with _aside(path, record, compact) as aside:
        aside.replace(path)


def create(path: Path, record: Record) -> bool:
    """Write a file unless there is one; says whether it did, also when two try at once.

    Raises:
        DiskFull: nothing was written.
    """
    with _aside(path, record, False) as aside:
        try:
            os.link(aside, path)
        except FileExistsError:
            return False
        return True


@contextmanager
def one_writer(folder: Path) -> Iterator[None]:
    """Hold a folder's lock; the kernel lets go of it when the process dies."""
    with disk_full_is_an_error(folder):
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / ".lock").open("w")
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _aside(path: Path, record: Record, compact: bool) -> Iterator[Path]:
    """The record in a file beside its own; the folder is synced once the caller has moved it."""
    content = record.model_dump(mode="json", exclude_defaults=compact)
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110)
    aside = path.with_name(f".{path.name}.{uuid4().hex}")
    with disk_full_is_an_error(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with aside.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            yield aside
        finally:
            aside.unlink(missing_ok=True)
        sync(path.parent)
