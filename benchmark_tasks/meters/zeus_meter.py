"""GPUs through Zeus's device layer (`zeus.device.gpu`), the rest through their vendor's library.

Zeus gives energy, power and temperature; clocks and throttle reasons, which it does not offer,
come from the same device (`vendor.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from benchmark_tasks.errors import MeterError
from benchmark_tasks.meters.meter import Meter, NoMeter, Reading
from benchmark_tasks.meters.vendor import GpuVendor
from benchmark_tasks.meters.vendors import vendor_here
from benchmark_tasks.results.tables import Series


def meter_for(gpu_indices: Sequence[int]) -> Meter:
    """The best meter this machine has for these GPUs; `NoMeter` with the reason when there is none."""
    if not gpu_indices:
        return NoMeter("measured without a GPU, and this machine has no GPU energy counter")
    try:
        return ZeusMeter(gpu_indices)
    except MeterError as error:
        return NoMeter(str(error))


class ZeusMeter:
    """Reads energy counter, power, temperature, clocks and throttle reasons of some GPUs."""

    absent_reason: str | None = None

    def __init__(self, gpu_indices: Sequence[int], vendor: GpuVendor | None = None) -> None:
        """Open the devices of a vendor, by default that of this machine.

        Raises:
            MeterError: the driver's library is missing, an index does not exist, or a GPU has no counter.
        """
        try:
            from zeus.device.gpu import get_gpus
            from zeus.exception import ZeusBaseError
        except (ImportError, OSError) as error:
            raise MeterError(f"NVML cannot be used: {error}") from error
        try:
            devices = get_gpus().gpus
            self._devices = [(i, devices[i]) for i in gpu_indices]
            without = [i for i, device in self._devices if not device.supports_get_total_energy_consumption()]
        except IndexError as error:
            raise MeterError(
                f"this machine has no GPU with one of the indices {list(gpu_indices)}"
            ) from error
        except (ZeusBaseError, OSError) as error:
            raise MeterError(f"NVML cannot be used: {error}") from error
        if without:
            raise MeterError(f"GPU {without[0]} has no energy counter")
        self._vendor = vendor or vendor_here()
        self.source = self._vendor.energy_source
        self.gpus = tuple(self._vendor.describe(i, device) for i, device in self._devices)

    def read(self) -> list[Reading]:
        """All series of all GPUs; each is stamped when it is read."""
        try:
            return [reading for i, device in self._devices for reading in self._read_device(i, device)]
        except Exception as error:
            raise MeterError(f"a GPU stopped answering: {error}") from error

    def _read_device(self, index: int, device: Any) -> list[Reading]:
        sources: tuple[tuple[Series, Callable[[], float]], ...] = (
            (Series.ENERGY_COUNTER_JOULES, lambda: device.get_total_energy_consumption() / 1000),
            (Series.POWER_WATTS, lambda: device.get_instant_power_usage() / 1000),
            (Series.TEMPERATURE_CELSIUS, device.get_gpu_temperature),
            *self._vendor.series(device),
        )
        readings = []
        for series, read in sources:
            before = time.perf_counter_ns()
            value = float(read())
            readings.append(Reading(series, index, (before + time.perf_counter_ns()) // 2, value))
        return readings
