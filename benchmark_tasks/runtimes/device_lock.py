"""One measurement at a time on a GPU, and nothing left over from an earlier one.

The lock is the kernel's (`flock`): it is released when its holder dies, however it dies. Whoever
gets the lock knows that no measurement runs, so any model server still marked with this lock is a
leftover and is ended.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from benchmark_tasks.errors import GpuBusy
from benchmark_tasks.runtimes.process import descendants, kill_all

MARK = "JOULEBOARD_DEVICE_LOCK"
"""Environment variable that every model server carries: the lock files it runs under."""


@contextlib.contextmanager
def hold_devices(home: Path, gpu_indices: Sequence[int], label: str) -> Iterator[str]:
    """Hold the locks of some GPUs (of the CPU when there are none); yields the mark for servers.

    Raises:
        GpuBusy: another measurement holds one of them; says which.
    """
    names = [f"gpu-{index}" for index in sorted(gpu_indices)] or ["cpu"]
    folder = home / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.lock" for name in names]
    with contextlib.ExitStack() as stack:
        for path in paths:
            stack.enter_context(_hold(path, label))
        mark = os.pathsep.join(str(path) for path in paths)
        end_leftovers(paths)
        yield mark


def reap(home: Path) -> int:
    """End what dead measurements left on devices that nobody holds; returns how many processes.

    For the start of a worker: the GPUs are idle before the first task, and not only when one wants them.
    """
    ended = 0
    for path in sorted((home / "locks").glob("*.lock")):
        with contextlib.suppress(GpuBusy), _hold(path, "looking for leftovers"):
            ended += end_leftovers([path])
    return ended


def end_leftovers(locks: Sequence[Path]) -> int:
    """End every process that carries one of these locks in its environment; returns how many."""
    wanted = {str(path) for path in locks}
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            carried = process.environ().get(MARK, "").split(os.pathsep)
            if wanted & set(carried) and process.pid != os.getpid():
                found += [process, *descendants(process.pid)]
    kill_all(found)
    return len(found)


@contextlib.contextmanager
def _hold(path: Path, label: str) -> Iterator[None]:
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise GpuBusy(
                f"{path.stem} is being measured by {holder}; try again when it has ended"
            ) from error
        file.truncate(0)
        file.write(f"pid {os.getpid()} ({label})")
        file.flush()
        yield
