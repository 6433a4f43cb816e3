"""NVIDIA GPUs: every call of NVML that this package makes, and what else is NVIDIA's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from benchmark_tasks.meters.vendor import GpuVendor
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


def names() -> list[str]:
    """Name of every NVIDIA GPU of this machine, as the driver gives it; empty without a driver."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
        return [pynvml.nvmlDeviceGetName(handle) for handle in handles]
    except pynvml.NVMLError:
        return []
    finally:
        pynvml.nvmlShutdown()


def driver_versions() -> tuple[str | None, str | None]:
    """(driver, CUDA) as NVML reports them; `None` without NVML."""
    try:
        import pynvml

        pynvml.nvmlInit()
        cuda = pynvml.nvmlSystemGetCudaDriverVersion_v2()
        return str(pynvml.nvmlSystemGetDriverVersion()), f"{cuda // 1000}.{cuda % 1000 // 10}"
    except Exception:  # noqa: BLE001  whatever is wrong with the driver, there is no version to record
        return None, None


def describe(index: int, device: Any) -> Gpu:
    """The record of a GPU that Zeus has opened."""
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


def series(device: Any) -> tuple[tuple[Series, Callable[[], float]], ...]:
    """Clocks in MHz and throttle bits, which Zeus does not read."""
    import pynvml

    handle = device.handle
    return (
        (Series.SM_CLOCK_MHZ, lambda: pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_SM)),
        (Series.MEMORY_CLOCK_MHZ, lambda: pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_MEM)),
        (Series.THROTTLE_REASON_BITS, lambda: _throttle_bits(handle)),
    )


def throttle_names(bits: int) -> tuple[str, ...]:
    """Names of the set bits, idle left out."""
    return tuple(name for bit, name in THROTTLE_REASONS.items() if bits & bit and name != "gpu_idle")


def container_arguments(client: str, indices: Sequence[int]) -> tuple[str, ...]:
    """Docker parses the value as CSV, so several devices need quotes; podman names CDI devices."""
    if not indices:
        return ()
    if client == "podman":
        return tuple(part for i in indices for part in ("--device", f"nvidia.com/gpu={i}"))
    return ("--gpus", f'"device={",".join(str(i) for i in indices)}"')


def _throttle_bits(handle: Any) -> int:
    """NVML renamed the call; older bindings have only the old name."""
    import pynvml

    try:
        return int(pynvml.nvmlDeviceGetCurrentClocksEventReasons(handle))
    except AttributeError:
        return int(pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle))


NVIDIA = GpuVendor(
    name="NVIDIA",
    energy_source=EnergySource.NVML_COUNTER,
    visible_variable="CUDA_VISIBLE_DEVICES",
    names=names,
    driver_versions=driver_versions,
    describe=describe,
    series=series,
    throttle_names=throttle_names,
    container_arguments=container_arguments,
)
