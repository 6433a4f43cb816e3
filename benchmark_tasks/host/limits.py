"""What the operating system allows this process and its children, and what a load needs of it.

Soft limits are raised as far as they may be. What is too small all the same is refused where the load is
sure to fail, and said where it may.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmark_tasks.errors import SettingsError

OWN_FILES = 512
"""Files and sockets of the server and of the load generator beside one connection per request in flight."""

MOST_FILES = 65_536
"""vLLM raises its own soft limit to about as many; more is of no use."""

THREADS, THREADS_PER_GPU = 512, 256
"""Threads of a server: pools of torch, NCCL, compilers, and the API servers of vLLM."""

SHARED_BYTES_PER_GPU = 2**28
"""Shared memory where several processes serve one model.

vLLM's message queues take ten blocks of 24 MiB (`MessageQueue`); Docker's default is 64 MiB in all.
"""

PORTS_PER_REQUEST = 2
"""A port is not free again for a minute after its connection was closed (TIME_WAIT)."""

PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
SHARED_MEMORY = Path("/dev/shm")
CGROUP_THREADS = Path("/sys/fs/cgroup/pids.max")


@dataclass(frozen=True)
class Need:
    """What a load asks of the operating system.

    connections: requests in flight at once. num_gpus: as many processes serve the model.
    """

    connections: int
    num_gpus: int = 0


@dataclass(frozen=True)
class Shortage:
    """A limit that is too low. `fatal`: the load is sure to fail."""

    line: str
    fatal: bool


def raise_limits() -> None:
    """Raise this process's soft limits, which its children inherit, as far as it may."""
    for limit, most in (
        (resource.RLIMIT_NOFILE, MOST_FILES),
        (resource.RLIMIT_NPROC, resource.RLIM_INFINITY),
        (resource.RLIMIT_MEMLOCK, resource.RLIM_INFINITY),
    ):
        soft, hard = resource.getrlimit(limit)
        wanted = _smaller(hard, most)
        if soft != resource.RLIM_INFINITY and (wanted == resource.RLIM_INFINITY or soft < wanted):
            resource.setrlimit(limit, (wanted, hard))


def shortages(need: Need) -> list[Shortage]:
    """Which limits are too low for a load, as they can be raised at most."""
    checks: tuple[Callable[[Need], Shortage | None], ...] = (_files, _ports, _threads, _shared_memory)
    return [shortage for check in checks if (shortage := check(need)) is not None]


def require_limits(need: Need) -> list[str]:
    """Raise the limits; what remains too low and may matter, one line each.

    Raises:
        SettingsError: a limit is so low that the load is sure to fail.
    """
    raise_limits()
    short = shortages(need)
    for shortage in short:
        if shortage.fatal:
            raise SettingsError(shortage.line)
    return [shortage.line for shortage in short]


def _files(need: Need) -> Shortage | None:
    needed, hard = need.connections + OWN_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY or hard >= needed:
        return None
    return Shortage(
        f"{need.connections} requests in flight need {needed} open files, and the limit is {hard}: raise it "
        "(ulimit -Hn, LimitNOFILE of a service, --ulimit nofile of a container)",
        fatal=True,
    )


def _ports(need: Need) -> Shortage | None:
    try:
        low, high = (int(part) for part in PORT_RANGE.read_text().split())
    except (OSError, ValueError):
        return None
    needed, there = PORTS_PER_REQUEST * need.connections, high - low + 1
    if there >= needed:
        return None
    return Shortage(
        f"{need.connections} requests in flight need {needed} local ports, and there are {there}: widen "
        "net.ipv4.ip_local_port_range (sysctl)",
        fatal=there < need.connections,
    )


def _threads(need: Need) -> Shortage | None:
    needed = THREADS + THREADS_PER_GPU * need.num_gpus
    limits = {"pids.max of the control group": _cgroup_threads()}
    if os.geteuid() != 0:  # the kernel does not hold root to it
        limits["ulimit -Hu"] = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    low = {name: limit for name, limit in limits.items() if limit is not None and 0 <= limit < needed}
    if not low:
        return None
    name, limit = next(iter(low.items()))
    return Shortage(f"a server may start {needed} threads, and {name} is {limit}: raise it", fatal=False)


def _cgroup_threads() -> int | None:
    try:
        return int(CGROUP_THREADS.read_text())
    except (OSError, ValueError):  # no such control group, or "max"
        return None


def _shared_memory(need: Need) -> Shortage | None:
    needed = SHARED_BYTES_PER_GPU * need.num_gpus
    if need.num_gpus < 2 or not SHARED_MEMORY.is_dir():
        return None
    stat = os.statvfs(SHARED_MEMORY)
    free = stat.f_bavail * stat.f_frsize
    if free >= needed:
        return None
    return Shortage(
        f"{need.num_gpus} processes may need {needed >> 20} MiB of shared memory, and {SHARED_MEMORY} has "
        f"{free >> 20} MiB: enlarge it (--shm-size or --ipc=host of a container)",
        fatal=False,
    )


def _smaller(one: int, other: int) -> int:
    """The smaller of two limits; infinity is -1."""
    finite = [limit for limit in (one, other) if limit != resource.RLIM_INFINITY]
    return min(finite, default=resource.RLIM_INFINITY)
