"""What the instruments say of a window and of a phase: energy, and what the GPUs did."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmark_tasks.errors import MeterError
from benchmark_tasks.meters.energy import energy_between, host_joules, spent_between
from benchmark_tasks.meters.meter import Recorder, Timeline
from benchmark_tasks.meters.vendors import vendor_here
from benchmark_tasks.results.schema import Device, Phase, Window
from benchmark_tasks.results.tables import Series


def phase(name: str, start_ns: int, end_ns: int, devices: Recorder, since: int = 0) -> Phase:
    """Seconds and joules between two instants; joules are `None` where the counter cannot say."""
    seconds = (end_ns - start_ns) / 1e9
    devices.wait_past(end_ns)
    try:
        joules = spent_between(devices.timeline(start_ns, since), 0.0, seconds)
    except MeterError:
        joules = None
    return Phase(name=name, seconds=seconds, joules=joules)


def with_energy(window: Window, timeline: Timeline, devices: Recorder) -> tuple[Window, str | None]:
    """The window with its energy, or the reason why it has none."""
    if devices.meter.absent_reason is not None:
        return window, devices.meter.absent_reason
    if window.start_seconds is None or window.end_seconds is None:
        return window, window.reason
    try:
        energy = energy_between(timeline, window.start_seconds, window.end_seconds)
    except MeterError as error:
        return window, "; ".join([str(error), *devices.failures])
    return window.model_copy(update={"energy": energy}), None


def device_during(timeline: Timeline, window: Window) -> Device:
    """What the GPUs did in a window, without what they drew when idle."""
    if window.start_seconds is None or window.end_seconds is None:
        return Device()
    host = {
        "cpu_joules": host_joules(
            timeline, Series.CPU_COUNTER_JOULES, window.start_seconds, window.end_seconds
        ),
        "dram_joules": host_joules(
            timeline, Series.DRAM_COUNTER_JOULES, window.start_seconds, window.end_seconds
        ),
    }
    if not timeline.gpu_indices():
        return Device(**host)
    inside = timeline.between(window.start_seconds, window.end_seconds)
    temperature = inside.of(Series.TEMPERATURE_CELSIUS)[1]
    power = inside.of(Series.POWER_WATTS)[1]
    bits = np.bitwise_or.reduce(inside.of(Series.THROTTLE_REASON_BITS)[1].astype(np.int64), initial=0)
    return Device(
        **host,
        temperature_min_celsius=statistic_of(np.min, temperature),
        temperature_max_celsius=statistic_of(np.max, temperature),
        sm_clock_median_mhz=statistic_of(np.median, inside.of(Series.SM_CLOCK_MHZ)[1]),
        memory_clock_median_mhz=statistic_of(np.median, inside.of(Series.MEMORY_CLOCK_MHZ)[1]),
        power_max_watts_per_gpu=statistic_of(np.max, power),
        throttle_reasons=vendor_here().throttle_names(int(bits)),
    )


def statistic_of(statistic: Callable[[np.ndarray], float], values: np.ndarray) -> float | None:
    """The statistic of some values; `None` of none."""
    return float(statistic(values)) if len(values) else None
