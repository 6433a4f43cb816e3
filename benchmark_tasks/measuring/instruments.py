"""What the instruments say of a window and of a phase: energy, and what the GPUs did."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmark_tasks.errors import MeterError
from benchmark_tasks.meters.energy import (
    PHASE_AGREEMENT,
    energy_between,
    host_joules,
    require_agreement,
    require_sound_counters,
    spent_between,
)
from benchmark_tasks.meters.meter import Recorder, Timeline
from benchmark_tasks.meters.vendors import vendor_here
from benchmark_tasks.results.schema import Device, Phase, Spent, Window
from benchmark_tasks.results.tables import Series


def phase(name: str, start_ns: int, end_ns: int, devices: Recorder, since: int = 0) -> Phase:
    """Seconds and joules of a phase between two instants."""
    took = spent(start_ns, end_ns, devices, since)
    return Phase(name=name, seconds=took.seconds, joules=took.joules)


def spent(start_ns: int, end_ns: int, devices: Recorder, since: int = 0) -> Spent:
    """Seconds and joules between two instants; joules are `None` where the counter cannot say."""
    seconds = (end_ns - start_ns) / 1e9
    devices.wait_past(end_ns)
    timeline = devices.timeline(start_ns, since)
    try:
        _require_every_gpu(timeline, devices)
        joules = spent_between(timeline, 0.0, seconds)
        require_agreement(timeline, 0.0, seconds, PHASE_AGREEMENT)
    except MeterError:
        joules = None
    return Spent(seconds=seconds, joules=joules)


def with_energy(window: Window, timeline: Timeline, devices: Recorder) -> tuple[Window, str | None]:
    """The window with its energy, or the reason why it has none."""
    if devices.meter.absent_reason is not None:
        return window, devices.meter.absent_reason
    if window.start_seconds is None or window.end_seconds is None:
        return window, window.reason
    try:
        _require_every_gpu(timeline, devices)
        energy = energy_between(timeline, window.start_seconds, window.end_seconds)
        require_sound_counters(timeline, window.start_seconds, window.end_seconds)
    except MeterError as error:
        return window, "; ".join([str(error), *devices.failures, *devices.meter.troubles])
    return window.model_copy(update={"energy": energy}), None


def _require_every_gpu(timeline: Timeline, devices: Recorder) -> None:
    silent = {gpu.index for gpu in devices.meter.gpus} - set(timeline.gpu_indices())
    if silent:
        raise MeterError(f"GPU {min(silent)} answered nothing")


def device_during(timeline: Timeline, window: Window) -> Device:
    """What the GPUs did in a window, without what they drew when idle; `None` where one does not say."""
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
    gpus = timeline.gpu_indices()
    temperature = _of_all(inside, Series.TEMPERATURE_CELSIUS, gpus)
    power = _of_all(inside, Series.POWER_WATTS, gpus)
    reasons = _of_all(inside, Series.THROTTLE_REASON_BITS, gpus).astype(np.int64)
    throttled = vendor_here().throttle_names(int(np.bitwise_or.reduce(reasons, initial=0)))
    return Device(
        **host,
        temperature_min_celsius=statistic_of(np.min, temperature),
        temperature_max_celsius=statistic_of(np.max, temperature),
        sm_clock_median_mhz=statistic_of(np.median, _of_all(inside, Series.SM_CLOCK_MHZ, gpus)),
        memory_clock_median_mhz=statistic_of(np.median, _of_all(inside, Series.MEMORY_CLOCK_MHZ, gpus)),
        power_max_watts_per_gpu=statistic_of(np.max, power),
        throttle_reasons=throttled if len(reasons) else None,
    )


def _of_all(timeline: Timeline, series: Series, gpus: list[int]) -> np.ndarray:
    """The values of a series of some GPUs; none where one of them has none."""
    of_gpus = [timeline.of(series, gpu)[1] for gpu in gpus]
    return np.concatenate(of_gpus) if all(map(len, of_gpus)) else np.array([])


def statistic_of(statistic: Callable[[np.ndarray], float], values: np.ndarray) -> float | None:
    """The statistic of some values; `None` of none."""
    return float(statistic(values)) if len(values) else None
