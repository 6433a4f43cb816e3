"""Folders of tests that are not pytest's own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def folder_for_everybody() -> Iterator[Path]:
    """A folder that others may enter, unlike pytest's: a database of root runs as another user."""
    folder = Path(tempfile.mkdtemp(prefix="jouleboard-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


NOBODY = 65534


@contextmanager
def as_nobody() -> Iterator[None]:
    """Read and write with the permissions of another account: root may read everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def unreadable(path: Path) -> Iterator[None]:
    """Nobody, root aside, may read a file or folder. For use with `as_nobody`."""
    mode = path.stat().st_mode
    path.chmod(0)
    try:
        yield
    finally:
        path.chmod(mode)
