"""Receivers for the tests of notifications."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmark_tasks.settings import Settings
from tests.receivers import Hook, Mail, mail_server


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook() as server:
        yield server
        server.shutdown()


@pytest.fixture(scope="session")
def mail() -> Iterator[Mail]:
    with mail_server() as server:
        yield server


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")
