"""Energy counter, power, clocks, temperature and throttle reasons of one GPU, as NVML tells them."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

_PERIOD_SECONDS = 0.02
_SAMPLED_EVERY = 5
_THROTTLE_BITS = {
    1: "gpu_idle",
    4: "sw_power_cap",
    8: "hw_slowdown",
    32: "sw_thermal",
    64: "hw_thermal",
    128: "hw_brake",
}


@dataclass
class Readings:
    """What was read. Times are `time.perf_counter_ns`.

    counter: (time, millijoules) whenever the counter had moved.
    samples: (time, watts, SM clock MHz, memory clock MHz, temperature, throttle bits, utilisation).
    """

    counter: list[tuple[int, int]] = field(default_factory=list)
    samples: list[tuple[int, float, int, int, int, int, int]] = field(default_factory=list)

    def joules(self, start_ns: float, end_ns: float) -> float:
        """Between two moments, interpolated between the moments at which the counter moved."""
        times, values = np.array(self.counter, dtype=np.float64).T
        before, after = np.interp([start_ns, end_ns], times, values)
        return float(after - before) / 1e3

    def told(self, start_ns: float, end_ns: float) -> dict[str, Any]:
        """Means and shares between two moments."""
        inside = np.array([s for s in self.samples if start_ns <= s[0] <= end_ns], dtype=np.float64)
        bits = inside[:, 5].astype(int)
        seconds = inside[:, 0] / 1e9
        watts = float(np.trapezoid(inside[:, 1], seconds) / (seconds[-1] - seconds[0]))
        return {
            "sampled_watts": watts,
            "sm_clock_mhz": float(inside[:, 2].mean()),
            "memory_clock_mhz": float(inside[:, 3].mean()),
            "temperature_c": float(inside[:, 4].mean()),
            "utilisation_percent": float(inside[:, 6].mean()),
            "throttled": {name: float(((bits & bit) > 0).mean()) for bit, name in _THROTTLE_BITS.items()},
        }


class GpuMeter:
    """Reads one GPU until it is left."""

    def __init__(self, index: int) -> None:
        import pynvml

        self._nvml = pynvml
        pynvml.nvmlInit()
        self._handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        self.readings = Readings()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> GpuMeter:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopping.set()
        self._thread.join(5)

    def facts(self) -> dict[str, Any]:
        """Which GPU it is."""
        nvml, handle = self._nvml, self._handle
        return {
            "uuid": str(nvml.nvmlDeviceGetUUID(handle)),
            "name": str(nvml.nvmlDeviceGetName(handle)),
            "driver": str(nvml.nvmlSystemGetDriverVersion()),
            "power_limit_watts": nvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1e3,
        }

    def _read(self) -> None:
        round_ = 0
        while not self._stopping.is_set():
            counter = int(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle))
            at = time.perf_counter_ns()
            if not self.readings.counter or counter != self.readings.counter[-1][1]:
                self.readings.counter.append((at, counter))
            if round_ % _SAMPLED_EVERY == 0:
                self.readings.samples.append(self._sample())
            round_ += 1
            self._stopping.wait(_PERIOD_SECONDS)

    def _sample(self) -> tuple[int, float, int, int, int, int, int]:
        nvml, handle = self._nvml, self._handle
        return (
            time.perf_counter_ns(),
            nvml.nvmlDeviceGetFieldValues(handle, [186])[0].value.uiVal / 1e3,
            int(nvml.nvmlDeviceGetClockInfo(handle, 1)),
            int(nvml.nvmlDeviceGetClockInfo(handle, 2)),
            int(nvml.nvmlDeviceGetTemperature(handle, 0)),
            int(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle)),
            int(nvml.nvmlDeviceGetUtilizationRates(handle).gpu),
        )
