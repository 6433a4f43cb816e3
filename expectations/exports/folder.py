"""The folder of an export: whole, or not there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmark_tasks.disk import disk_full_is_an_error
from benchmark_tasks.errors import PublicationError
from expectations.publications import full_disk_in_duckdb


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder beside `folder` to write into; it becomes `folder` at the end, or is removed after an error.

    Raises:
        PublicationError: there is something at `folder` already, or it cannot be written. DiskFull.
    """
    if os.path.lexists(folder) and not (folder.is_dir() and not any(folder.iterdir())):
        raise PublicationError(f"{folder}: is there already; name a new folder, or an empty one")
    aside = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        with disk_full_is_an_error(folder.parent), full_disk_in_duckdb(folder.parent):
            aside.mkdir(parents=True)
            yield aside
            aside.replace(folder)
    except OSError as error:
        raise PublicationError(f"{folder}: cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
