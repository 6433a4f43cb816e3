"""Which GPUs a sweep runs on, and the meter that reads them."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmark_tasks.catalog import Catalog
from benchmark_tasks.errors import CatalogError, MeterError
from benchmark_tasks.host.device_lock import Held, hold_free_devices
from benchmark_tasks.host.machine import instruments, usable_indices, usable_uuids, visible_indices
from benchmark_tasks.meters.host_meter import with_host
from benchmark_tasks.meters.meter import Meter, NoMeter, Recorder
from benchmark_tasks.meters.vendors import vendor_here
from benchmark_tasks.meters.zeus_meter import meter_for
from benchmark_tasks.plan.sweep import Sweep
from benchmark_tasks.results.tables import Series
from benchmark_tasks.runtimes.launch import AtEndpoint


def gpus_for(sweep: Sweep) -> tuple[int, ...]:
    """The driver's indices of the GPUs that the sweep may run on; none for an endpoint that names none.

    The GPUs of an endpoint cannot be chosen. A server gets as many as it needs of those that this process may
    use.

    Raises:
        CatalogError: fewer can be used and measured than the sweep needs, or another number was named.
        MeterError: there are GPUs or a driver, and none of them can be measured.
        SettingsError: CUDA_VISIBLE_DEVICES names a GPU that is not here.
    """
    if isinstance(sweep.server, AtEndpoint):
        named = sweep.server.gpu_indices
        if named and len(set(named)) != sweep.num_gpus:
            raise CatalogError(f"{len(named)} GPU indices for {sweep.num_gpus} GPUs: name each once")
        return named
    if sweep.num_gpus == 0:
        return ()
    usable = usable_indices(at_least=sweep.num_gpus)
    if len(usable) < sweep.num_gpus:
        raise CatalogError(_too_few(sweep, len(usable)))
    return usable


@contextmanager
def hold_for(sweeps: Sequence[Sweep], home: Path, uuids: Collection[str] = ()) -> Iterator[Held]:
    """Hold GPUs for several sweeps that are measured one after the other on the same ones.

    Yields their indices and the mark for servers, as `hold_free_devices` does.

    uuids: of the GPUs to take if they are here and free.

    Raises:
        CatalogError: they need different numbers of GPUs. GpuBusy, and what `gpus_for` raises.
    """
    first = sweeps[0]
    if {sweep.num_gpus for sweep in sweeps} != {first.num_gpus}:
        raise CatalogError("sweeps on the same GPUs need the same number of GPUs")
    preferred = [index for uuid, index in usable_uuids().items() if uuid in uuids] if uuids else ()
    with hold_free_devices(home, gpus_for(first), first.num_gpus, first.label(), preferred) as held:
        yield held


def are_held(uuids: Collection[str], held: Held) -> bool:
    """Whether the GPUs that are held are these."""
    indices, here = held[0], usable_uuids()
    return sorted(indices) == sorted(here.get(uuid, -1) for uuid in uuids)


def _too_few(sweep: Sweep, usable: int) -> str:
    report, variable = instruments(), vendor_here().visible_variable
    problems = f": {report.problems}" if report.problems else ""
    if variable in os.environ:
        return f"{variable} leaves {usable} of {sweep.num_gpus} GPUs{problems}"
    return f"{usable} GPU(s) of this machine can be measured, not {sweep.num_gpus}{problems}"


def meter_of(sweep: Sweep, gpu_indices: tuple[int, ...]) -> Meter:
    """The best meter for these GPUs, with the host's counters beside it where there are some.

    Raises:
        CatalogError: a named GPU is not visible to this process.
    """
    if not gpu_indices and sweep.num_gpus:
        return NoMeter("measured at an endpoint without naming its GPUs (--gpu-index)")
    visible = visible_indices() if gpu_indices else None
    hidden = set() if visible is None else set(gpu_indices) - set(visible)
    if hidden:
        raise CatalogError(
            f"{vendor_here().visible_variable} hides GPU {min(hidden)}: its energy cannot be read"
        )
    return with_host(meter_for(gpu_indices))


def idle_watts(devices: Recorder, seconds: float) -> tuple[float, ...] | None:
    """Mean power of each GPU while nothing runs; `None` without a meter. Takes `seconds`."""
    if not devices.meter.gpus or seconds <= 0:
        return None
    mark, begun_ns = devices.mark(), time.perf_counter_ns()
    time.sleep(seconds)
    devices.wait_past(time.perf_counter_ns())
    timeline = devices.timeline(begun_ns, mark).between(0.0, math.inf)
    watts = [timeline.of(Series.POWER_WATTS, gpu.index)[1] for gpu in devices.meter.gpus]
    return tuple(float(values.mean()) for values in watts) if all(map(len, watts)) else None


def require_gpus(sweep: Sweep, gpu_indices: tuple[int, ...], catalog: Catalog, meter: Meter) -> None:
    """Check that the GPUs are those of the sweep and that their energy can be read.

    Raises:
        CatalogError: the sweep is for another GPU than this machine's.
        MeterError: the sweep is for GPUs of this machine and they cannot be read.
    """
    if not gpu_indices:
        return
    if meter.absent_reason is not None:
        raise MeterError(f"{sweep.label()} needs {sweep.num_gpus} GPU(s): {meter.absent_reason}")
    first: dict[str, int] = {}
    for gpu in meter.gpus:
        if first.setdefault(gpu.uuid, gpu.index) != gpu.index:
            raise MeterError(
                f"GPU {first[gpu.uuid]} and GPU {gpu.index} have one UUID ({gpu.uuid}), so the driver may "
                "show one GPU twice: see `nvidia-smi -L`"
            )
        known = catalog.gpu_named(gpu.name)
        if meter.source.is_counter and (known is None or known.gpu_model != sweep.gpu_model):
            raise CatalogError(f"the sweep is for {sweep.gpu_model}, but GPU {gpu.index} is {gpu.name}")
