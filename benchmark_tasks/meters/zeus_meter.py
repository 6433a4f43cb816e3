"""GPUs through Zeus's device layer (`zeus.device.gpu`), the rest through their vendor's library.

Zeus gives energy, power and temperature; clocks and throttle reasons, which it does not offer,
come from the same device (`vendor.py`). What is read is what a GPU answered when it was asked first
(`probe.py`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from benchmark_tasks.errors import MeterError
from benchmark_tasks.meters.meter import Meter, NoMeter, Reading
from benchmark_tasks.meters.probe import probe
from benchmark_tasks.meters.vendor import GpuVendor, Query
from benchmark_tasks.meters.vendors import vendor_here


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
        """Ask the GPUs at the driver's indices what they can say.

        vendor: whose GPUs; by default that of this machine.

        Raises:
            MeterError: a library is missing, or a GPU does not exist or cannot be measured; says why.
        """
        vendor = vendor or vendor_here()
        try:
            import zeus.device.gpu  # noqa: F401  without it no GPU can be opened
        except (ImportError, OSError) as error:
            raise MeterError(f"Zeus, which reads {vendor.name} GPUs, cannot be used: {error}") from error
        report = probe(vendor, gpu_indices)
        if report.problems:
            raise MeterError(report.driver.problem or report.problems)
        self.source = vendor.energy_source
        self.gpus = tuple(asked.gpu for asked in report.gpus if asked.gpu is not None)
        self.troubles: list[str] = []
        self._queries = tuple((asked.index, query) for asked in report.gpus for query in asked.queries)

    def read(self) -> list[Reading]:
        """All series of all GPUs; each is stamped when it is read. One that is not answered is a gap.

        Raises:
            MeterError: a GPU is lost.
        """
        readings = (self._read(index, query) for index, query in self._queries)
        return [reading for reading in readings if reading is not None]

    def _read(self, index: int, query: Query) -> Reading | None:
        from zeus.device.gpu.common import ZeusGPULostError, ZeusGPUResetRequiredError

        before = time.perf_counter_ns()
        try:
            value = float(query.read())
        except (ZeusGPULostError, ZeusGPUResetRequiredError) as error:
            raise MeterError(f"GPU {index} stopped answering: {query.name}: {error}") from error
        except Exception as error:  # noqa: BLE001  what is not answered now may be at the next reading
            trouble = f"GPU {index}: {query.series}: {query.name}: {error}"
            if trouble not in self.troubles:
                self.troubles.append(trouble)
            return None
        return Reading(query.series, index, (before + time.perf_counter_ns()) // 2, value)
