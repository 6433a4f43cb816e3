"""What takes long to make and is only read: made by one of the test processes, used by all."""

from __future__ import annotations

import os
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from benchmark_tasks import disk
from benchmark_tasks.errors import JouleboardError

T = TypeVar("T")

_LONGEST_SECONDS = 580.0
"""How long the other processes wait; just less than the time that a test may take."""


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], T]) -> T:
    """What `make` returned for an empty folder, in this process or in another one of the same test run.

    It is pickled, so it names files of the folder instead of holding them open.
    """
    in_one_of_many = "PYTEST_XDIST_WORKER" in os.environ
    root = factory.getbasetemp().parent if in_one_of_many else factory.getbasetemp()
    kept = root / f"{name}.pickle"
    busy = JouleboardError(f"another test process still makes the {name}")
    with disk.lock(root / f"{name}.lock", busy=lambda holder: busy, wait_seconds=_LONGEST_SECONDS):
        if not kept.exists():
            made = make(Path(tempfile.mkdtemp(prefix=f"{name}-", dir=root)))
            kept.write_bytes(pickle.dumps(made))
        return pickle.loads(kept.read_bytes())  # type: ignore[no-any-return]
