"""Fixtures of the measuring core."""

from __future__ import annotations

import ctypes
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark_tasks import cli
from benchmark_tasks.testing.nvml import MadeUpGpu, MadeUpNvml


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


@pytest.fixture(scope="session")
def nvml_library(tmp_path_factory: pytest.TempPathFactory) -> MadeUpNvml:
    """The made-up NVML, compiled once."""
    try:
        return MadeUpNvml.build(tmp_path_factory.mktemp("nvml"))
    except RuntimeError as error:
        pytest.skip(str(error))


@pytest.fixture
def nvml(nvml_library: MadeUpNvml, monkeypatch: pytest.MonkeyPatch) -> MadeUpNvml:
    """A machine with one GPU, whose driver is the made-up one, in this process too."""
    import pynvml

    monkeypatch.setattr(pynvml, "nvmlLib", ctypes.CDLL(str(nvml_library.library)))
    monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})
    for name, value in nvml_library.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    nvml_library.answer([MadeUpGpu()])
    return nvml_library


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
