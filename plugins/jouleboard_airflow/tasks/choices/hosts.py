"""The GPU host that a form asks for, and how many of its GPUs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from benchmark_tasks.results.identity import NO_GPU
from jouleboard_airflow.gpu_hosts import GpuHosts, reachable_hosts, read_fleet
from jouleboard_airflow.offers import WITHOUT_GPU, hosts_title
from jouleboard_airflow.tasks.choices.misfit import Misfit, any_of, shown, up_to

if TYPE_CHECKING:
    from benchmark_tasks.catalog import Catalog


def host_asked_for(wanted: str | None) -> GpuHosts | None:
    """The host that the form's GPU model names; without a name, the only one that there is."""
    fleet = read_fleet()
    if wanted == NO_GPU or (wanted is None and not fleet):
        return WITHOUT_GPU
    named = [host for host in fleet if wanted in (None, host.gpu_model)]
    return named[0] if len(named) == 1 else None


def no_such_host(wanted: object) -> Misfit:
    """No host of this installation has this GPU model; without one, a form has to choose."""
    fleet = read_fleet()
    if wanted is None:
        why = "there are several GPU models here"
    elif fleet:
        why = f"no GPU host of this installation has {shown(wanted)}, only {hosts_title(fleet)}"
    else:
        why = f"this installation has no GPU host, so none with {shown(wanted)}"
    choices = [*(host.gpu_model for host in fleet), "no GPU (none)"]
    return Misfit("gpu_model", why, f"choose {any_of(choices)}")


def not_reached(host: GpuHosts) -> Misfit:
    """Measurements run on this machine, and it does not have the GPUs of the host."""
    why = f"{host.gpu_model} is planned for (JOULEBOARD_FLEET), but this machine, which measures, has none"
    choices = [*(each.gpu_model for each in reachable_hosts()), "no GPU (none)"]
    return Misfit("gpu_model", why, f"choose {any_of(choices)}, or let a GPU host join")


def number_of_gpus(params: Mapping[str, Any], host: GpuHosts) -> list[Misfit]:
    """A number that the host does not have."""
    number = params["num_gpus"]
    if number is None or (host is WITHOUT_GPU and number == 0):
        return []
    if host is WITHOUT_GPU:
        others = [f"{each.gpu_model} as GPU model" for each in read_fleet()]
        return [
            Misfit(
                "num_gpus",
                f'{number} contradicts the GPU model "no GPU"',
                f"leave it empty{', or choose ' + any_of(others) if others else ''}",
            )
        ]
    if number == 0:
        fits = f'choose 1 to {host.gpus}, or the GPU model "no GPU"'
        return [Misfit("num_gpus", f"0 contradicts the GPU model {host.gpu_model}", fits)]
    if not 0 < number <= host.gpus:
        return [
            Misfit("num_gpus", f"a host has {host.gpus} {host.gpu_model}, not {number}", up_to(host.gpus))
        ]
    return []


def number_asked_for(params: Mapping[str, Any], host: GpuHosts) -> int:
    """The number of GPUs that the form asks for; on a host, one by default."""
    number = params["num_gpus"]
    return min(1, host.gpus) if number is None else max(0, min(int(number), host.gpus))


def memory_gib(catalog: Catalog, host: GpuHosts) -> float | None:
    """Memory of one GPU, or of this machine; None if nothing is known of the machine that measures."""
    if host is not WITHOUT_GPU:
        return catalog.gpus[host.gpu_model].memory_gib if host.gpu_model in catalog.gpus else None
    import psutil
    from airflow.sdk import conf

    elsewhere = conf.get("jouleboard", "measure_queue", fallback=None)
    return None if elsewhere else float(psutil.virtual_memory().total) / 2**30
