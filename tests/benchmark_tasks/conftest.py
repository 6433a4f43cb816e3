"""Fixtures of the measuring core."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark_tasks import cli


@pytest.fixture
def powercap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in which Zeus looks for RAPL counters."""
    from zeus.device import cpu
    from zeus.device.cpu import rapl

    folder = tmp_path / "powercap"
    folder.mkdir()
    monkeypatch.setattr(rapl, "RAPL_DIR", str(folder))
    monkeypatch.setattr(rapl, "rapl_is_available", lambda: True)  # Zeus remembers its first answer
    monkeypatch.setattr(cpu, "get_cpus", rapl.RAPLCPUs)
    return folder


@pytest.fixture
def jouleboard(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs the command in this process; gives exit code, stdout and stderr."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["jouleboard", *map(str, arguments)])
        previous = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            cli.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
        return (code, *capfd.readouterr())

    return call
