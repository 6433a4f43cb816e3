"""Fixtures for tests of the platform."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.folders import folder_for_everybody


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that the database's user can reach."""
    with folder_for_everybody() as folder:
        yield folder
