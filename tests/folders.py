"""Folders of tests that are not pytest's own."""

from __future__ import annotations

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
