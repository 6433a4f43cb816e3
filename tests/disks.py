"""Small file systems, to be filled up."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_file_system(where: Path, options: str) -> Iterator[Path]:
    """A file system of its own in a folder, made if need be; the test is skipped where none can be mounted.

    options: of tmpfs, as `size=256k`. It is detached even if something still has it open: a file that another
    process of the machine looks at must not fail a test.
    """
    where.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(where)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small file system cannot be mounted here (not root)")
    try:
        yield where
    finally:
        subprocess.run(["umount", "--lazy", str(where)], check=True)
