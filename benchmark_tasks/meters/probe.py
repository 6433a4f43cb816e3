"""What each GPU of this machine can say of itself, asked once before anything is relied on.

A query that is not answered leaves its field or series empty, and its name in the record. Without its
energy counter, its power, its name or its UUID a GPU is not measured: `GpuInstruments.problem` says why.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from benchmark_tasks.meters.vendor import Driver, GpuVendor, Interview, Query
from benchmark_tasks.results.schema import Gpu
from benchmark_tasks.results.tables import Series

INDISPENSABLE = {
    Series.ENERGY_COUNTER_JOULES: "energy counter",
    Series.POWER_WATTS: "power",
}
"""The two instruments (docs/methodology.md, Energy): one alone is no figure."""


@dataclass(frozen=True)
class GpuInstruments:
    """What one GPU answers.

    index: the driver's. device: as Zeus has opened it.
    gpu: its record; `None` where it could not be opened or does not say which one it is.
    queries: one per series that it answers.
    unanswered: what it does not answer: field or series, query and the driver's reason.
    problem: why it cannot be measured; `None` where it can.
    left_out: whether a process that counts GPUs may count without it: it is lost, or shared.
    """

    index: int
    device: Any
    gpu: Gpu | None
    queries: tuple[Query, ...]
    unanswered: tuple[str, ...]
    problem: str | None
    left_out: bool = False

    @property
    def label(self) -> str:
        """Short name for a person."""
        return f"GPU {self.index}" + (f" ({self.gpu.name})" if self.gpu else "")


@dataclass(frozen=True)
class InstrumentReport:
    """What the driver shows, and what some of its GPUs answer."""

    driver: Driver
    gpus: tuple[GpuInstruments, ...]

    @property
    def measurable(self) -> tuple[GpuInstruments, ...]:
        """The GPUs that can be measured."""
        return tuple(gpu for gpu in self.gpus if gpu.problem is None)

    @property
    def problems(self) -> str:
        """Why GPUs cannot be measured, on one line; empty if all can."""
        return "; ".join(f"{gpu.label}: {gpu.problem}" for gpu in self.gpus if gpu.problem)


def probe(vendor: GpuVendor, indices: Iterable[int] | None = None) -> InstrumentReport:
    """Ask the GPUs at some of the driver's indices, by default at all, each query once; never raises.

    Every device stays open: `vendor.close()` once per device closes it.
    """
    driver = vendor.driver()
    wanted = range(driver.count) if indices is None else indices
    return InstrumentReport(driver, tuple(_ask_gpu(vendor, driver, index) for index in wanted))


def probe_and_close(vendor: GpuVendor) -> InstrumentReport:
    """The report on all GPUs, whose devices are closed again."""
    report = probe(vendor)
    for gpu in report.gpus:
        if gpu.device is not None:
            vendor.close()
    return report


def _ask_gpu(vendor: GpuVendor, driver: Driver, index: int) -> GpuInstruments:
    if not 0 <= index < driver.count:
        shown = (
            f"the driver shows {driver.count} GPU(s)"
            if driver.count
            else "no GPU driver shows a GPU on this machine"
        )
        return GpuInstruments(index, None, None, (), (), f"there is no such GPU: {driver.problem or shown}")
    asked = Interview()
    device = asked.ask("device", "open", lambda: vendor.open(index))
    if device is None:
        problem = f"it cannot be used: {_last(asked)}"
        return GpuInstruments(index, None, None, (), tuple(asked.unanswered), problem, left_out=True)
    gpu = vendor.describe(index, device, asked)
    queries: dict[Series, Query] = {}
    for query in (*_zeus_queries(device), *vendor.queries(device)):
        if query.series in queries or asked.ask(query.series.value, query.name, query.read) is None:
            continue
        queries[query.series] = query
    refusal: str | None = vendor.refusal(device)
    reason = refusal or _problem(gpu, queries, asked)
    unanswered = tuple(asked.unanswered)
    if gpu is not None:
        gpu = gpu.model_copy(update={"unanswered": unanswered})
    shared = refusal is not None
    return GpuInstruments(index, device, gpu, tuple(queries.values()), unanswered, reason, left_out=shared)


def _zeus_queries(device: Any) -> tuple[Query, ...]:
    """What Zeus reads of any vendor's device. Of two queries for a series the first that answers is used."""
    return (
        Query(
            Series.ENERGY_COUNTER_JOULES,
            "get_total_energy_consumption",
            lambda: device.get_total_energy_consumption() / 1000,
        ),
        Query(Series.POWER_WATTS, "get_instant_power_usage", lambda: device.get_instant_power_usage() / 1000),
        Query(Series.POWER_WATTS, "get_average_power_usage", lambda: device.get_average_power_usage() / 1000),
        Query(Series.TEMPERATURE_CELSIUS, "get_gpu_temperature", device.get_gpu_temperature),
    )


def _problem(gpu: Gpu | None, queries: dict[Series, Query], asked: Interview) -> str | None:
    if gpu is None:
        return f"it does not say which GPU it is: {_reasons(asked, 'name', 'uuid')}"
    for series, instrument in INDISPENSABLE.items():
        if series not in queries:
            return f"its {instrument} cannot be read: {_reasons(asked, series.value)}"
    return None


def _reasons(asked: Interview, *fields: str) -> str:
    """Query and reason of the fields that stayed empty."""
    found = [line.partition(": ") for line in asked.unanswered]
    return ", ".join(reason for name, _, reason in found if name in fields) or "no answer"


def _last(asked: Interview) -> str:
    return asked.unanswered[-1].split(": ", 2)[-1]
