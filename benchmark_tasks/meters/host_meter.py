"""CPU and DRAM energy of the whole machine: RAPL counters, found by Zeus (`zeus.device.cpu`).

They count everything that runs on the packages, the load generator included; what they say is kept
beside the GPUs' energy and never added to it.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark_tasks.errors import MeterError
from benchmark_tasks.meters.meter import Meter, Reading
from benchmark_tasks.results.schema import Gpu
from benchmark_tasks.results.tables import Series
from benchmark_tasks.vocabulary import EnergySource


@dataclass
class _Counter:
    """One cumulative counter in joules; `wraps_at_joules` is where it starts again at zero."""

    series: Series
    read_joules: Callable[[], float]
    wraps_at_joules: float | None
    last_joules: float = 0.0
    wrapped_joules: float = field(default=0.0)

    def read(self) -> float:
        """Joules, ever growing. Read every 100 ms, it cannot wrap twice in between (that takes minutes)."""
        now = self.read_joules()
        if now < self.last_joules:
            if self.wraps_at_joules is None:
                raise MeterError(f"{self.series} went backwards")
            self.wrapped_joules += self.wraps_at_joules
        self.last_joules = now
        return self.wrapped_joules + now


class HostMeter:
    """Reads the energy of all CPU packages, and of their DRAM where every package counts it."""

    def __init__(self) -> None:
        """Find the counters.

        Raises:
            MeterError: there are none, or this user may not read them.
        """
        try:
            from zeus.device.cpu import get_cpus
            from zeus.exception import ZeusBaseError
        except (ImportError, OSError) as error:
            raise MeterError(f"RAPL cannot be used: {error}") from error
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a zone without a counter is not needed
                packages = list(get_cpus().cpus)
        except (ZeusBaseError, OSError, ValueError) as error:
            raise MeterError(_said(error)) from error
        if not packages:
            raise MeterError("no RAPL counter")
        self._counters = [_package(package) for package in packages]
        if all(package.supports_get_dram_energy_consumption() for package in packages):
            self._counters += [_dram(package) for package in packages]
        self.read()

    @property
    def has_dram(self) -> bool:
        """Whether DRAM is counted, too."""
        return any(counter.series is Series.DRAM_COUNTER_JOULES for counter in self._counters)

    def read(self) -> list[Reading]:
        """One value per series: the sum over the packages.

        Raises:
            MeterError: a counter cannot be read any more.
        """
        sums: dict[Series, float] = {}
        before = time.perf_counter_ns()
        try:
            for counter in self._counters:
                sums[counter.series] = sums.get(counter.series, 0.0) + counter.read()
        except (OSError, ValueError) as error:
            raise MeterError(f"a RAPL counter stopped answering: {error}") from error
        at = (before + time.perf_counter_ns()) // 2
        return [Reading(series, None, at, value) for series, value in sums.items()]


class WithHost:
    """A meter of GPUs that reads the host's counters along, as long as they answer."""

    def __init__(self, meter: Meter, host: HostMeter) -> None:
        self._meter = meter
        self._host: HostMeter | None = host
        self.source: EnergySource = meter.source
        self.absent_reason: str | None = meter.absent_reason
        self.gpus: tuple[Gpu, ...] = meter.gpus
        self.troubles: list[str] = meter.troubles

    def read(self) -> list[Reading] | None:
        """Every series of every GPU and of the host, now; `None` if the GPUs could not be read this time."""
        readings = self._meter.read()
        return None if readings is None else [*readings, *self._read_host()]

    def _read_host(self) -> list[Reading]:
        """A host that stops answering ends its own series; the GPUs' energy does not depend on it."""
        if self._host is None:
            return []
        try:
            return self._host.read()
        except MeterError:
            self._host = None
            return []


def with_host(meter: Meter) -> Meter:
    """The meter with the host's counters where this machine has them."""
    try:
        return WithHost(meter, HostMeter())
    except MeterError:
        return meter


def _package(package: Any) -> _Counter:
    zone = getattr(package, "rapl_file", None)
    if zone is None:  # through Zeus's daemon, which follows the wrapping itself
        return _Counter(
            Series.CPU_COUNTER_JOULES, lambda: package.get_total_energy_consumption().cpu_mj / 1e3, None
        )
    return _zone(Series.CPU_COUNTER_JOULES, zone)


def _dram(package: Any) -> _Counter:
    zone = getattr(package, "dram", None)
    if zone is None:
        return _Counter(
            Series.DRAM_COUNTER_JOULES, lambda: package.get_total_energy_consumption().dram_mj / 1e3, None
        )
    return _zone(Series.DRAM_COUNTER_JOULES, zone)


def _zone(series: Series, zone: Any) -> _Counter:
    """A sysfs counter, read directly: Zeus starts a process per counter to follow its wrapping."""
    path = Path(zone.energy_uj_path)
    return _Counter(series, lambda: float(path.read_text()) / 1e6, zone.max_energy_range_uj / 1e6)


def _said(error: Exception) -> str:
    unreadable = isinstance(error, OSError) and not isinstance(error, FileNotFoundError)
    if unreadable or "permission" in str(error).lower():
        return "RAPL counters exist but are not readable"
    return "no RAPL counter"
