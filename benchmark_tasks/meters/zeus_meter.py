"""NVIDIA GPUs through Zeus's device layer (`zeus.device.gpu`), the rest through NVML itself.

Zeus gives energy, power and temperature; clocks and throttle reasons, which it does not offer,
come from the same NVML handle.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from benchmark_tasks.errors import MeterError
from benchmark_tasks.meters.meter import Meter, NoMeter, Reading
from benchmark_tasks.results.schema import Gpu
from benchmark_tasks.results.tables import Series
from benchmark_tasks.vocabulary import EnergySource

THROTTLE_REASONS = {
    0x1: "gpu_idle",
    0x2: "applications_clocks_setting",
    0x4: "sw_power_cap",
    0x8: "hw_slowdown",
    0x10: "sync_boost",
    0x20: "sw_thermal_slowdown",
    0x40: "hw_thermal_slowdown",
    0x80: "hw_power_brake_slowdown",
    0x100: "display_clock_setting",
}
"""NVML's `nvmlClocksEventReason*` bits (nvml.h)."""


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

    source = EnergySource.NVML_COUNTER
    absent_reason: str | None = None

    def __init__(self, gpu_indices: Sequence[int]) -> None:
        """Open the devices.

        Raises:
            MeterError: NVML is missing, an index does not exist, or there is no energy counter.
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
        self.gpus = tuple(_describe(i, device) for i, device in self._devices)

    def read(self) -> list[Reading]:
        """All series of all GPUs; each is stamped when it is read."""
        try:
            return [reading for i, device in self._devices for reading in _read_device(i, device)]
        except Exception as error:
            raise MeterError(f"a GPU stopped answering: {error}") from error


def throttle_names(bits: int) -> tuple[str, ...]:
    """Names of the set bits, idle left out."""
    return tuple(name for bit, name in THROTTLE_REASONS.items() if bits & bit and name != "gpu_idle")


def driver_versions() -> tuple[str | None, str | None]:
    """(driver, CUDA) as NVML reports them; `None` without NVML."""
    try:
        import pynvml

        pynvml.nvmlInit()
        cuda = pynvml.nvmlSystemGetCudaDriverVersion_v2()
        return str(pynvml.nvmlSystemGetDriverVersion()), f"{cuda // 1000}.{cuda % 1000 // 10}"
    except Exception:  # noqa: BLE001  whatever is wrong with the driver, there is no version to record
        return None, None


def _read_device(index: int, device: Any) -> list[Reading]:
    import pynvml

    handle = device.handle
    sources = (
        (Series.ENERGY_COUNTER_JOULES, lambda: device.get_total_energy_consumption() / 1000),
        (Series.POWER_WATTS, lambda: device.get_instant_power_usage() / 1000),
        (Series.TEMPERATURE_CELSIUS, device.get_gpu_temperature),
        (Series.SM_CLOCK_MHZ, lambda: pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_SM)),
        (Series.MEMORY_CLOCK_MHZ, lambda: pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_MEM)),
        (Series.THROTTLE_REASON_BITS, lambda: _throttle_bits(handle)),
    )
    readings = []
    for series, read in sources:
        before = time.perf_counter_ns()
        value = float(read())
        readings.append(Reading(series, index, (before + time.perf_counter_ns()) // 2, value))
    return readings


def _throttle_bits(handle: Any) -> int:
    """NVML renamed the call; older bindings have only the old name."""
    import pynvml

    try:
        return int(pynvml.nvmlDeviceGetCurrentClocksEventReasons(handle))
    except AttributeError:
        return int(pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle))


def _describe(index: int, device: Any) -> Gpu:
    import pynvml

    handle = device.handle
    try:
        vbios = pynvml.nvmlDeviceGetVbiosVersion(handle)
    except pynvml.NVMLError:
        vbios = None
    return Gpu(
        index=index,
        name=device.get_name(),
        uuid=pynvml.nvmlDeviceGetUUID(handle),
        vbios=vbios,
        memory_bytes=pynvml.nvmlDeviceGetMemoryInfo(handle).total,
        power_limit_watts=device.get_power_management_limit() / 1000,
    )
