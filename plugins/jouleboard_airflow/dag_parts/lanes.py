"""Where measuring happens: the GPUs there are, and the lanes that measuring tasks run in.

`[jouleboard] fleet` in Airflow's configuration lists the GPU hosts: `H200:8, B200:8x2` is one host with
8 H200 and two with 8 B200 each. `make up` fills it in for this machine (`JOULEBOARD_FLEET` replaces it).
Empty: there is no GPU, and what can be measured without one is measured beside the scheduler.

`[jouleboard] measure_executor` names the executor that reaches the GPU hosts; by default it is the
scheduler's own. `[jouleboard] measure_queue` sends what is measured without a GPU there, too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmark_tasks.errors import SettingsError
from benchmark_tasks.results.schema import NO_GPU

CPU_POOL = "cpu"
_SIZES = (1, 2, 4, 8, 16, 32, 64)
_ENTRY = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]*):([1-9][0-9]?)(?:x([1-9][0-9]{0,2}))?")
_CANARY_WEIGHT = 100
"""`priority_weight` of canaries: before every other measurement of any release. The others have 1."""


@dataclass(frozen=True)
class GpuHosts:
    """Hosts with one model of GPU, named as in the catalog."""

    gpu_model: str
    gpus: int
    hosts: int = 1

    @property
    def queue(self) -> str:
        """Queue that their workers take tasks from, and name of the pool with a slot a GPU."""
        return f"gpu-{self.gpu_model.lower()}"

    @property
    def slots(self) -> int:
        """GPUs on all of them."""
        return self.gpus * self.hosts

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of GPUs that a measurement can take on one host."""
        return (*(size for size in _SIZES if size < self.gpus), self.gpus)


@dataclass(frozen=True)
class Lane:
    """One measuring task of a DAG: the sweeps it takes, what it holds meanwhile, and where it runs.

    A mapped task has the same slots, queue and priority for all its instances: hence a lane for each.
    """

    gpu_model: str
    num_gpus: int
    pool: str
    queue: str
    executor: str | None
    canaries: bool = False

    @property
    def task_id(self) -> str:
        """`measure_on_cpu`, `measure_on_2x_h200`, `measure_canaries_on_1x_h200`."""
        return f"measure{'_canaries' if self.canaries else ''}_on_{self._where}"

    @property
    def choose_id(self) -> str:
        """Task that picks this lane's sweeps from the plan."""
        return f"{'canaries' if self.canaries else 'sweeps'}_for_{self._where}"

    @property
    def pool_slots(self) -> int:
        """One a GPU; without a GPU one measurement at a time."""
        return max(1, self.num_gpus)

    @property
    def priority_weight(self) -> int:
        """Canaries come first."""
        return _CANARY_WEIGHT if self.canaries else 1

    @property
    def _where(self) -> str:
        return "cpu" if self.num_gpus == 0 else f"{self.num_gpus}x_{self.gpu_model.lower()}"


def read_fleet(text: str | None = None) -> tuple[GpuHosts, ...]:
    """The GPU hosts that the configuration lists, or `text` of the same form.

    Raises:
        SettingsError: an entry is not one, or a GPU model comes twice.
    """
    if text is None:
        from airflow.sdk import conf

        text = conf.get("jouleboard", "fleet", fallback="")
    hosts = []
    for entry in filter(None, (part.strip() for part in text.split(","))):
        match = _ENTRY.fullmatch(entry)
        if match is None:
            raise SettingsError(
                f"[jouleboard] fleet: {entry!r} is not like H200:8 (GPUs of a host) or H200:8x2"
            )
        hosts.append(GpuHosts(match[1], int(match[2]), int(match[3] or 1)))
    models = [host.gpu_model for host in hosts]
    if len(set(models)) < len(models):
        raise SettingsError(f"[jouleboard] fleet: a GPU model comes twice in {text!r}; write H200:8x2")
    return tuple(hosts)


def lanes() -> tuple[Lane, ...]:
    """Every lane of this installation; canaries take one GPU."""
    from airflow.sdk import conf

    executor = conf.get("jouleboard", "measure_executor", fallback=None) or None
    queue = conf.get("jouleboard", "measure_queue", fallback=None)
    found = [Lane(NO_GPU, 0, CPU_POOL, queue or "default", executor if queue else None)]
    for hosts in read_fleet():
        found.append(Lane(hosts.gpu_model, 1, hosts.queue, hosts.queue, executor, canaries=True))
        found += [Lane(hosts.gpu_model, size, hosts.queue, hosts.queue, executor) for size in hosts.sizes]
    return tuple(found)


def lane_of(sweep: Mapping[str, Any], canary: bool) -> Lane:
    """The lane that measures a sweep (as JSON); a size in between takes the next larger one.

    Raises:
        SettingsError: no host of the fleet has these GPUs.
    """
    fitting = [
        lane
        for lane in lanes()
        if lane.gpu_model == sweep["gpu_model"]
        and lane.num_gpus >= sweep["num_gpus"]
        and lane.canaries == (canary and sweep["num_gpus"] == 1)
    ]
    if not fitting:
        wanted = f"{sweep['num_gpus']}x {sweep['gpu_model']}"
        raise SettingsError(f"nobody can measure on {wanted}: {describe(read_fleet())}")
    return min(fitting, key=lambda lane: lane.num_gpus)


def fleet_here(environment: Mapping[str, str]) -> str:
    """What `[jouleboard] fleet` is to hold on this machine: `JOULEBOARD_FLEET`, or the GPUs that it has."""
    from benchmark_tasks.catalog import load
    from benchmark_tasks.errors import CatalogError
    from benchmark_tasks.host.machine import this_machine

    if wanted := environment.get("JOULEBOARD_FLEET"):
        read_fleet(wanted)
        return wanted
    try:
        machine = this_machine(load())
    except CatalogError:
        return ""  # a GPU that the catalog does not know: planning for it says so
    return f"{machine.gpu_model}:{machine.num_gpus}" if machine.has_gpu else ""


def describe(fleet: tuple[GpuHosts, ...]) -> str:
    """The GPUs there are, for a message."""
    if not fleet:
        return "the fleet has no GPUs ([jouleboard] fleet is empty)"
    hosts = ", ".join(f"{host.hosts} x {host.gpus} {host.gpu_model}" for host in fleet)
    return f"the fleet has {hosts} ([jouleboard] fleet)"
