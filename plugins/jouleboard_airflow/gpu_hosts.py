"""The GPU hosts of this installation: the fleet.

`[jouleboard] fleet` in Airflow's configuration lists them: `H200:8, B200:8x2` is one host with 8 H200 and
two hosts with 8 B200 each. `make up` writes it for this machine; `JOULEBOARD_FLEET` replaces what it finds.
Empty: there is no GPU, and what can be measured without a GPU is measured beside the scheduler.

The fleet is what is planned for. What can be measured now may be less: see `reachable_hosts`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from benchmark_tasks.errors import SettingsError

_SIZES = (1, 2, 4, 8, 16, 32, 64)
_ENTRY = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]*):([1-9][0-9]?)(?:x([1-9][0-9]{0,2}))?")


@dataclass(frozen=True)
class GpuHosts:
    """Hosts with one GPU model, named as in the catalog. `gpus`: per host."""

    gpu_model: str
    gpus: int
    hosts: int = 1

    @property
    def queue(self) -> str:
        """Name of the queue that their workers take tasks from, and of the pool with one slot per GPU."""
        return f"gpu-{self.gpu_model.lower()}"

    @property
    def slots(self) -> int:
        """Number of GPUs on all of these hosts."""
        return self.gpus * self.hosts

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of GPUs that one measurement can use on one host."""
        return (*(size for size in _SIZES if size < self.gpus), self.gpus)


def read_fleet(text: str | None = None) -> tuple[GpuHosts, ...]:
    """The GPU hosts that the configuration lists, or `text` of the same form.

    Raises:
        SettingsError: an entry does not have this form, or a GPU model occurs twice.
    """
    if text is None:
        from airflow.sdk import conf

        text = conf.get("jouleboard", "fleet", fallback="") or ""
    hosts = tuple(_hosts(entry) for entry in filter(None, (part.strip() for part in text.split(","))))
    if len({host.queue for host in hosts}) < len(hosts):
        raise SettingsError(f"[jouleboard] fleet: a GPU model occurs twice in {text!r}; write H200:8x2")
    return hosts


def reachable_hosts() -> tuple[GpuHosts, ...]:
    """The hosts of the fleet that measurements can reach, as far as the configuration knows.

    With `[jouleboard] measure_executor` the hosts are other machines that join: all of the fleet. Otherwise
    measurements run on this machine, whose GPUs `make up` writes to `[jouleboard] gpus_here`; if that is not
    set, nothing is known of this machine, and the fleet counts.

    Raises:
        SettingsError: an entry of the configuration does not have the form of a fleet.
    """
    from airflow.sdk import conf

    fleet = read_fleet()
    here = conf.get("jouleboard", "gpus_here", fallback=None)
    if here is None or conf.get("jouleboard", "measure_executor", fallback=None):
        return fleet
    gpus = {host.gpu_model: host.gpus for host in read_fleet(here)}
    return tuple(
        GpuHosts(host.gpu_model, min(host.gpus, gpus[host.gpu_model]))
        for host in fleet
        if host.gpu_model in gpus
    )


def gpus_here() -> str:
    """The GPUs of this machine in the form of a fleet; empty if there is none that can be measured."""
    from benchmark_tasks.catalog import load
    from benchmark_tasks.errors import CatalogError, MeterError
    from benchmark_tasks.host.machine import this_machine

    try:
        machine = this_machine(load())
    except (CatalogError, MeterError):
        return ""  # a GPU that is not in the catalog or cannot be measured: planning reports it
    return f"{machine.gpu_model}:{machine.num_gpus}" if machine.has_gpu else ""


def fleet_here(environment: Mapping[str, str]) -> str:
    """What `[jouleboard] fleet` is to hold on this machine: `JOULEBOARD_FLEET`, or the GPUs of the machine.

    Raises:
        SettingsError: `JOULEBOARD_FLEET` is not a list of GPU hosts.
    """
    if wanted := environment.get("JOULEBOARD_FLEET"):
        read_fleet(wanted)
        return wanted
    return gpus_here()


def describe_fleet(fleet: tuple[GpuHosts, ...]) -> str:
    """The fleet in words, for a message."""
    if not fleet:
        return "the fleet has no GPUs ([jouleboard] fleet is empty)"
    hosts = ", ".join(f"{host.hosts} x {host.gpus} {host.gpu_model}" for host in fleet)
    return f"the fleet has {hosts} ([jouleboard] fleet)"


def _hosts(entry: str) -> GpuHosts:
    match = _ENTRY.fullmatch(entry)
    if match is None:
        raise SettingsError(
            f"[jouleboard] fleet: {entry!r} is not of the form H200:8 (GPUs per host) or H200:8x2 (two hosts)"
        )
    return GpuHosts(match[1], int(match[2]), int(match[3] or 1))
