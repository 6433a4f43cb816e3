"""Receivers for the tests of notifications."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller

from benchmark_tasks.settings import Settings
from tests.receivers import Hook, Mail


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook() as server:
        yield server
        server.shutdown()


@pytest.fixture(scope="session")
def mail() -> Iterator[Mail]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    mail = Mail(port)
    controller = Controller(mail, hostname="127.0.0.1", port=port)
    controller.start()
    yield mail
    controller.stop()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")
