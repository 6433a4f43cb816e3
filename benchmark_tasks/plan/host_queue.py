"""Several plans at once on the GPUs of one host, each on its own GPUs as soon as enough are free.

For hosts without a control plane; otherwise Airflow's pools do this. Each plan is measured by
`jouleboard measure` in its own process, which holds its GPUs' locks. Its output is shown line by line and
kept:

    <home>/queue/<time>/<plan>.json   the plan
    <home>/queue/<time>/<plan>.log    output of its process
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from benchmark_tasks.errors import CatalogError, JouleboardError
from benchmark_tasks.meters.vendors import vendor_here
from benchmark_tasks.plan.sweep import Plan, Sweep
from benchmark_tasks.processes import guarded, log_tail, new_lines
from benchmark_tasks.runtimes.kinds import all_kinds
from benchmark_tasks.settings import Settings

POLL_SECONDS = 0.2
_TORCH_CACHES = {"TORCHINDUCTOR_CACHE_DIR": "inductor", "TRITON_CACHE_DIR": "triton"}
"""Folders for what PyTorch compiles, with any runtime."""
_NUMBERS = re.compile(r"\d+(\+\d+)*")


@dataclass(frozen=True)
class Chain:
    """Sweeps that are measured one after the other, on the same GPUs."""

    name: str
    sweeps: tuple[Sweep, ...]

    @property
    def num_gpus(self) -> int:
        """The number of GPUs of the largest sweep."""
        return max(sweep.num_gpus for sweep in self.sweeps)


def split_argument(argument: str) -> tuple[Path, tuple[int, ...]]:
    """`FILE` or `FILE:0+2` as a file and indices of sweeps; no indices mean all sweeps."""
    file, _, numbers = argument.rpartition(":")
    if not file or not _NUMBERS.fullmatch(numbers):
        return Path(argument), ()
    return Path(file), tuple(int(number) for number in numbers.split("+"))


def measuring(plan: Path) -> tuple[str, ...]:
    """The command that measures a plan."""
    return (sys.executable, "-m", "benchmark_tasks.cli", "measure", "--plan", str(plan))


def measure_chains(
    chains: Sequence[Chain],
    gpus: Sequence[int],
    settings: Settings,
    *,
    say: Callable[[str], None],
    command: Callable[[Path], Sequence[str]] = measuring,
) -> None:
    """Measure all chains in order: one that needs more GPUs than are free makes the later ones wait.

    Args:
        gpus: the GPUs to use, by NVML's indices. Chains without a GPU share the CPU, one at a time.
        command: what measures a plan's file.

    Raises:
        CatalogError: a chain needs more GPUs than there are; nothing was started.
        JouleboardError: some chains failed, after all others were measured.
    """
    for chain in chains:
        if chain.num_gpus > len(gpus):
            raise CatalogError(
                f"{chain.name} needs {chain.num_gpus} GPU(s), but this process may use {len(gpus)}"
            )
    folder = settings.home / "queue" / f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}-{os.getpid()}"
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        queue = _Queue(list(gpus), folder, settings, say, command, stack)
        waiting = list(chains)
        while waiting or queue.running:
            while waiting and queue.start(waiting[0]):
                waiting.pop(0)
            queue.look()
            time.sleep(POLL_SECONDS)
    if queue.failed:
        lines = "; ".join(f"{name}: {line}" for name, line in queue.failed.items())
        raise JouleboardError(
            f"{len(queue.failed)} of {len(chains)} plans failed ({lines}); logs in {folder}"
        )


def environment_for(gpus: Sequence[int], settings: Settings, ours: Mapping[str, str]) -> dict[str, str]:
    """Environment of a process: it sees only its GPUs, and has compiler caches of its own."""
    if not gpus:
        return dict(ours)
    caches = settings.home / "caches" / "+".join(str(gpu) for gpu in gpus)
    folders = dict(_TORCH_CACHES)
    for kind in all_kinds():
        folders |= kind.cache_variables
    return {
        **ours,
        **vendor_here().order_variables,
        vendor_here().visible_variable: ",".join(str(gpu) for gpu in gpus),
        **{variable: str(caches / folder) for variable, folder in folders.items()},
    }


@dataclass
class _Running:
    chain: Chain
    gpus: tuple[int, ...]
    log: Path
    process: subprocess.Popen[bytes]
    ending: ExitStack
    read: int = 0
    began: float = field(default_factory=time.monotonic)

    @property
    def where(self) -> str:
        return f"GPU {'+'.join(map(str, self.gpus))}" if self.gpus else "CPU"


class _Queue:
    """The running chains and the free GPUs."""

    def __init__(
        self,
        free: list[int],
        folder: Path,
        settings: Settings,
        say: Callable[[str], None],
        command: Callable[[Path], Sequence[str]],
        stack: ExitStack,
    ) -> None:
        self._free, self._folder, self._settings = free, folder, settings
        self._say, self._command, self._stack = say, command, stack
        self.running: list[_Running] = []
        self.failed: dict[str, str] = {}

    def start(self, chain: Chain) -> bool:
        """Start a chain if enough GPUs are free; returns whether it was started."""
        cpu_is_busy = any(not running.gpus for running in self.running)
        if chain.num_gpus > len(self._free) or (chain.num_gpus == 0 and cpu_is_busy):
            return False
        gpus = tuple(sorted(self._free)[: chain.num_gpus])
        self._free = [gpu for gpu in self._free if gpu not in gpus]
        plan = self._folder / f"{chain.name}.json"
        plan.write_text(Plan(sweeps=chain.sweeps).model_dump_json(indent=1) + "\n")
        ending = self._stack.enter_context(ExitStack())
        log = plan.with_suffix(".log")
        environment = environment_for(gpus, self._settings, os.environ)
        process = ending.enter_context(guarded(self._command(plan), log=log, environment=environment))
        running = _Running(chain, gpus, log, process, ending)
        self.running.append(running)
        self._say(f"{running.where} | {chain.name}: started")
        return True

    def look(self) -> None:
        """Show new output of the processes, and free the GPUs of those that have ended."""
        for running in list(self.running):
            code = running.process.poll()
            self._pass_on(running)
            if code is not None:
                self._end(running, code)

    def _pass_on(self, running: _Running) -> None:
        lines, running.read = new_lines(running.log, running.read)
        for line in lines:
            self._say(f"{running.where} | {line.decode(errors='replace')}")

    def _end(self, running: _Running, code: int) -> None:
        running.ending.close()
        self.running.remove(running)
        self._free += running.gpus
        lasted = time.monotonic() - running.began
        if code:
            tail = log_tail(running.log, 1)
            self.failed[running.chain.name] = tail[0] if tail else f"exit code {code}"
        outcome = f"failed with exit code {code}" if code else "done"
        self._say(f"{running.where} | {running.chain.name}: {outcome} after {lasted:.0f} s")
