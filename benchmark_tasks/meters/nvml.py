"""NVIDIA GPUs: every call of NVML that this package makes, and what else is NVIDIA's own."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmark_tasks.meters.vendor import Driver, GpuVendor, Interview, Query
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

DEVICE_FILES = Path("/dev")
"""Where the driver puts a file per GPU: `nvidia0`, `nvidia1`, ..."""


def driver() -> Driver:
    """How many GPUs the driver lists. Without its library and without a device file there is none."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        if error.value != pynvml.NVML_ERROR_LIBRARY_NOT_FOUND:
            return Driver(problem=f"the NVIDIA driver cannot be used: nvmlInit: {error}{_hint(error)}")
        device = next(DEVICE_FILES.glob("nvidia[0-9]*"), None)
        if device is None:
            return Driver()
        return Driver(
            problem=f"{device} exists, but the driver's library does not: install libnvidia-ml.so.1, in a "
            "container with the NVIDIA container toolkit"
        )
    try:
        return Driver(pynvml.nvmlDeviceGetCount())
    except pynvml.NVMLError as error:
        return Driver(problem=f"the NVIDIA driver cannot be used: nvmlDeviceGetCount: {error}{_hint(error)}")
    finally:
        close()


def driver_versions() -> tuple[str | None, str | None]:
    """(driver, CUDA) as NVML reports them; `None` without NVML."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # noqa: BLE001  whatever is wrong with the driver, there is no version to record
        return None, None
    asked = Interview()
    version = asked.ask("driver", "nvmlSystemGetDriverVersion", pynvml.nvmlSystemGetDriverVersion)
    cuda = asked.ask("CUDA", "nvmlSystemGetCudaDriverVersion", pynvml.nvmlSystemGetCudaDriverVersion_v2)
    close()
    return version and str(version), None if cuda is None else f"{cuda // 1000}.{cuda % 1000 // 10}"


def open_device(index: int) -> Any:
    """Zeus's device at the driver's index, whatever `CUDA_VISIBLE_DEVICES` says and other GPUs do."""
    import pynvml
    from zeus.device.gpu.nvidia import NVIDIAGPU

    # It warns where a driver has no answer to a question of Grace Hopper's.
    logging.getLogger("zeus.device.gpu.nvidia").setLevel(logging.ERROR)
    pynvml.nvmlInit()
    return NVIDIAGPU(index)


def close() -> None:
    """Undo one `nvmlInit`; NVML counts them."""
    import pynvml

    with contextlib.suppress(pynvml.NVMLError):
        pynvml.nvmlShutdown()


def refusal(device: Any) -> str | None:
    """MIG and vGPU: the energy counter counts the whole GPU, and others may work on it."""
    import pynvml

    try:
        mig, _ = pynvml.nvmlDeviceGetMigMode(device.handle)
    except pynvml.NVMLError as error:
        if error.value not in (
            pynvml.NVML_ERROR_NOT_SUPPORTED,
            pynvml.NVML_ERROR_FUNCTION_NOT_FOUND,
        ):
            return f"it does not say whether MIG is enabled (nvmlDeviceGetMigMode: {error})"
        mig = pynvml.NVML_DEVICE_MIG_DISABLE
    if mig == pynvml.NVML_DEVICE_MIG_ENABLE:
        return (
            "MIG is enabled, and its energy counter counts the whole GPU: disable it (nvidia-smi -mig 0) "
            "or choose another GPU"
        )
    try:
        mode = pynvml.nvmlDeviceGetVirtualizationMode(device.handle)
    except pynvml.NVMLError:
        return None
    if mode in (pynvml.NVML_GPU_VIRTUALIZATION_MODE_NONE, pynvml.NVML_GPU_VIRTUALIZATION_MODE_PASSTHROUGH):
        return None
    return "it is shared by virtual machines (vGPU), and its energy counter counts them all: use another GPU"


def describe(index: int, device: Any, asked: Interview) -> Gpu | None:
    """The record of a GPU that Zeus has opened; `None` if it does not say which one it is."""
    import pynvml

    handle = device.handle
    name = asked.ask("name", "nvmlDeviceGetName", device.get_name)
    uuid = asked.ask("uuid", "nvmlDeviceGetUUID", lambda: pynvml.nvmlDeviceGetUUID(handle))
    vbios = asked.ask("vbios", "nvmlDeviceGetVbiosVersion", lambda: pynvml.nvmlDeviceGetVbiosVersion(handle))
    memory = asked.ask("memory_bytes", "nvmlDeviceGetMemoryInfo", lambda: _memory_bytes(handle))
    limit = asked.ask(
        "power_limit_watts", "nvmlDeviceGetPowerManagementLimit", device.get_power_management_limit
    )
    if not name or not uuid:
        return None
    return Gpu(
        index=index,
        name=name,
        uuid=uuid,
        vbios=vbios,
        memory_bytes=memory,
        power_limit_watts=None if limit is None else limit / 1000,
    )


def queries(device: Any) -> tuple[Query, ...]:
    """Clocks in MHz and throttle bits, which Zeus does not read, and power as older drivers have it."""
    import pynvml

    handle = device.handle
    clock, throttle = "nvmlDeviceGetClockInfo", "nvmlDeviceGetCurrentClocksEventReasons"
    return (
        Query(Series.POWER_WATTS, "nvmlDeviceGetPowerUsage", lambda: _power_watts(handle)),
        Query(Series.SM_CLOCK_MHZ, clock, lambda: _clock_mhz(handle, pynvml.NVML_CLOCK_SM)),
        Query(Series.MEMORY_CLOCK_MHZ, clock, lambda: _clock_mhz(handle, pynvml.NVML_CLOCK_MEM)),
        Query(Series.THROTTLE_REASON_BITS, throttle, lambda: _throttle_bits(handle)),
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


def _memory_bytes(handle: Any) -> int:
    import pynvml

    return int(pynvml.nvmlDeviceGetMemoryInfo(handle).total)


def _power_watts(handle: Any) -> float:
    """What drivers before 530 have instead of the field for instantaneous power."""
    import pynvml

    return float(pynvml.nvmlDeviceGetPowerUsage(handle)) / 1000


def _clock_mhz(handle: Any, clock: int) -> float:
    import pynvml

    return float(pynvml.nvmlDeviceGetClockInfo(handle, clock))


def _throttle_bits(handle: Any) -> int:
    """NVML renamed the call; older bindings have only the old name."""
    import pynvml

    try:
        return int(pynvml.nvmlDeviceGetCurrentClocksEventReasons(handle))
    except AttributeError:
        return int(pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle))


def _hint(error: Any) -> str:
    """What to do about an error of the whole driver, where that is known."""
    import pynvml

    hints = {
        pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: "; reboot, or load the kernel module of the new driver",
        pynvml.NVML_ERROR_DRIVER_NOT_LOADED: "; load it (nvidia-smi says more), or use --gpus 0 for the CPU",
        pynvml.NVML_ERROR_NO_PERMISSION: "; let this user open /dev/nvidia*",
    }
    return hints.get(error.value, "; nvidia-smi says more")


NVIDIA = GpuVendor(
    name="NVIDIA",
    energy_source=EnergySource.NVML_COUNTER,
    visible_variable="CUDA_VISIBLE_DEVICES",
    order_variables={"CUDA_DEVICE_ORDER": "PCI_BUS_ID"},
    place_variables=("CUDA_HOME", "CUDA_PATH", "CUDA_CACHE_PATH"),
    changing_variables=("CUDA_", "CUBLAS", "CUDNN", "NVIDIA_TF32", "NCCL_", "NVSHMEM_"),
    driver=driver,
    driver_versions=driver_versions,
    open=open_device,
    close=close,
    refusal=refusal,
    describe=describe,
    queries=queries,
    throttle_names=throttle_names,
    container_arguments=container_arguments,
)
