"""One measurement at a time per GPU, and no process left over from an earlier one.

The lock is the kernel's (`flock`): it is released when its holder dies, however it dies. Whoever
gets the lock knows that no measurement runs, so any model server still marked with this lock is a
leftover and is ended.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import IO

import psutil

from benchmark_tasks import disk
from benchmark_tasks.errors import GpuBusy
from benchmark_tasks.processes import descendants, kill_all

MARK = "JOULEBOARD_DEVICE_LOCK"
"""Environment variable that every model server carries: the lock files it runs under."""

Held = tuple[tuple[int, ...], str]
"""Indices of GPUs that are locked, and the mark for the servers on them."""


@contextlib.contextmanager
def hold_devices(home: Path, gpu_indices: Sequence[int], label: str) -> Iterator[str]:
    """Hold the locks of these GPUs (of the CPU when there are none); yields the mark for servers.

    Raises:
        GpuBusy: another measurement holds one of them; says which.
    """
    with hold_free_devices(home, gpu_indices, len(gpu_indices), label) as (_, mark):
        yield mark


@contextlib.contextmanager
def hold_free_devices(
    home: Path, candidates: Sequence[int], count: int, label: str, preferred: Collection[int] = ()
) -> Iterator[Held]:
    """Hold `count` of some GPUs, the first that are free; yields their indices and the mark for servers.

    Preferred ones come first, if they are candidates.

    Without candidates the CPU is held. Only one process chooses GPUs at a time: two that want several
    would otherwise each take some and neither have enough.

    Raises:
        GpuBusy: too few are free; says who holds one.
    """
    folder = home / "locks"
    with contextlib.ExitStack() as stack:
        with disk.lock(folder / "choosing"):
            in_order = sorted(candidates, key=lambda index: (index not in preferred, index))
            chosen, paths = _choose(stack, folder, in_order, count, label)
        end_leftovers(paths)
        yield chosen, os.pathsep.join(str(path) for path in paths)


def _choose(
    stack: contextlib.ExitStack, folder: Path, candidates: Sequence[int], count: int, label: str
) -> tuple[tuple[int, ...], list[Path]]:
    if not candidates:
        path = folder / "cpu.lock"
        stack.enter_context(_hold(path, label))
        return (), [path]
    chosen: list[int] = []
    for tried, index in enumerate(candidates):
        try:
            stack.enter_context(_hold(folder / f"gpu-{index}.lock", label))
        except GpuBusy:
            if len(candidates) - tried - 1 < count - len(chosen):
                raise
            continue
        chosen.append(index)
        if len(chosen) == count:
            break
    return tuple(chosen), [folder / f"gpu-{index}.lock" for index in chosen]


def reap(home: Path, also: Callable[[str], int] = lambda mark: 0) -> int:
    """End the processes that dead measurements left on devices that nobody holds; returns how many.

    A worker calls it when it starts, so that the GPUs are idle before its first task.
    also: ends something else that carries a lock's mark, and returns how many.
    """
    ended = 0
    for path in sorted((home / "locks").glob("*.lock")):
        with contextlib.suppress(GpuBusy), _hold(path, "ending processes of dead measurements"):
            ended += end_leftovers([path]) + also(str(path))
    return ended


def end_leftovers(locks: Sequence[Path]) -> int:
    """End every process that carries one of these locks in its environment; returns how many."""
    wanted = {str(path) for path in locks}
    leftovers: list[psutil.Process] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            carried = process.environ().get(MARK, "").split(os.pathsep)
            if wanted & set(carried) and process.pid != os.getpid():
                leftovers += [process, *descendants(process.pid)]
    kill_all(leftovers)
    return len(leftovers)


def _hold(path: Path, label: str) -> IO[str]:
    return disk.lock(
        path,
        busy=lambda holder: GpuBusy(
            f"{path.stem} is being measured by {holder}; try again when it has ended"
        ),
        note=f"pid {os.getpid()} ({label})",
    )
