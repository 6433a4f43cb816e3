"""Fixtures of the measuring core."""

from __future__ import annotations

from pathlib import Path

import pytest


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
