"""A made-up `libnvidia-ml.so.1`: a machine with any GPUs, whose driver answers any query with any error.

The unchanged pynvml and Zeus load it, so that everything above the driver is tested as it is:

    machine = MadeUpNvml.build(folder)
    machine.answer([MadeUpGpu(), MadeUpGpu(errors={"nvmlDeviceGetTemperatureV": NOT_SUPPORTED})])
    subprocess.run(command, env={**os.environ, **machine.variables})

What it answers can be changed at any time, also while it is measured (`answer`).
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmark_tasks import disk

SOURCE = Path(__file__).with_suffix(".c")
NO_COMPILER = "the made-up NVML needs a C compiler: install gcc or clang (`cc`)"

NOT_SUPPORTED, NO_PERMISSION, NOT_LOADED, LOST, MISMATCH = 3, 4, 9, 15, 18
"""NVML's errors (nvml.h)."""

VGPU_GUEST, VGPU_HOST = 2, 3
"""Virtualization modes (nvml.h)."""

ENERGY = "nvmlDeviceGetTotalEnergyConsumption"
POWER = "nvmlFieldPowerInstant"


@dataclass(frozen=True)
class MadeUpGpu:
    """One GPU and its energy counter.

    watts: what it draws, all the time.
    errors: NVML's error by the name of the query that answers it.
    offset_joules, scale: the counter shows offset + scale x the energy since the machine's start; a negative
        scale counts backwards.
    frozen_at: second of the monotonic clock at which the counter stops.
    jump_at, jump_joules: when it jumps, and by how much.
    wraps_at_joules: where it starts again at zero.
    """

    name: str = "NVIDIA H100 80GB HBM3"
    uuid: str | None = None
    watts: float = 400.0
    errors: Mapping[str, int] = field(default_factory=dict)
    mig: bool = False
    virtualization: int = 0
    offset_joules: float = 0.0
    scale: float = 1.0
    frozen_at: float = 0.0
    jump_at: float = 0.0
    jump_joules: float = 0.0
    wraps_at_joules: float = 0.0

    def frozen_now(self) -> MadeUpGpu:
        """The same GPU, whose counter stops at this moment."""
        return replace(self, frozen_at=time.monotonic())

    def lines(self, index: int) -> list[str]:
        """Its statements, as `nvml.c` reads them."""
        counter = (
            f"{self.offset_joules * 1000:.0f} {self.scale!r} {self.frozen_at!r} {self.jump_at!r} "
            f"{self.jump_joules * 1000:.0f} {self.wraps_at_joules * 1000:.0f}"
        )
        statements = [
            f"name {self.name}",
            f"uuid {self.uuid or uuid_of(index)}",
            f"mig {int(self.mig)}",
            f"virtualization {self.virtualization}",
            f"milliwatts {self.watts * 1000:.0f}",
            f"counter {counter}",
            *(f"error {query} {code}" for query, code in self.errors.items()),
        ]
        return [f"gpu {index} {statement}" for statement in statements]


def uuid_of(index: int) -> str:
    """The UUID of the GPU at an index, unless it is given another."""
    return f"GPU-{index:08x}-0000-4000-8000-{index:012x}"


@dataclass(frozen=True)
class MadeUpNvml:
    """The library in a folder, and the file that says what it answers."""

    folder: Path

    @classmethod
    def build(cls, folder: Path) -> MadeUpNvml:
        """Compile it into a folder; it has no GPUs until `answer` is called.

        Raises:
            RuntimeError: there is no C compiler, or it fails.
        """
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if compiler is None:
            raise RuntimeError(NO_COMPILER)
        built = cls(folder)
        command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(built.library), str(SOURCE)]
        compiled = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if compiled.returncode != 0:
            raise RuntimeError(f"the made-up NVML cannot be compiled: {compiled.stderr}")
        built.answer([])
        return built

    def answer(self, gpus: Sequence[MadeUpGpu], errors: Mapping[str, int] | None = None) -> None:
        """Answer like this from now on.

        errors: of queries that ask for no GPU (`nvmlInitWithFlags`, `nvmlDeviceGetCount_v2`, ...).
        """
        lines = [f"error {query} {code}" for query, code in (errors or {}).items()]
        for index, gpu in enumerate(gpus):
            lines += gpu.lines(index)
        disk.replace(self._answers, "\n".join(lines) + "\n", durable=False)

    @property
    def library(self) -> Path:
        """The shared library."""
        return self.folder / "libnvidia-ml.so.1"

    @property
    def variables(self) -> dict[str, str]:
        """Environment variables of a process that uses it."""
        return {"LD_LIBRARY_PATH": str(self.folder), "JOULEBOARD_NVML": str(self._answers)}

    @property
    def _answers(self) -> Path:
        return self.folder / "nvml.txt"
