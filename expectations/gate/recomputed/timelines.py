"""Energy, what the GPUs did, and what the server said of itself, by the samples of the bundle."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmark_tasks.meters.energy import host_joules
from benchmark_tasks.meters.meter import Timeline
from benchmark_tasks.meters.server_use import gained, preprocessing_ms
from benchmark_tasks.meters.vendors import VENDORS
from benchmark_tasks.results.schema import Device, Run, Server, Window
from benchmark_tasks.results.tables import Series
from expectations.gate.recomputed.contradiction import Contradiction, Pair, compared

Statistic = Callable[[np.ndarray], float]

_EVENTS = (Series.PREEMPTIONS, Series.PREFIX_CACHE_HITS, Series.MULTIMODAL_CACHE_HITS)


def of_timelines(run: Run, timeline: Timeline) -> list[Contradiction]:
    """Energy of every GPU and window, and what GPUs and server did, by their samples."""
    pairs: list[Pair] = []
    for title, window in (("steady", run.window_steady), ("ML.ENERGY's", run.window_mlenergy)):
        if window is not None:
            pairs += _energy(title, window, timeline)
    pairs += _device(run.device, run.window_steady, timeline)
    pairs += _throttling(run, timeline)
    if run.server is not None and run.requests is not None and run.requests.output_tokens is not None:
        pairs += _server(run.server, run, timeline)
    return compared(pairs)


def mean_watts_of_load(run: Run, timeline: Timeline) -> float | None:
    """Mean power of all GPUs from the first request to the last answer; `None` without a counter."""
    gpus = _gpus(timeline)
    if not gpus or run.requests is None or run.requests.duration_seconds <= 0:
        return None
    lasted = run.requests.duration_seconds
    return sum(_joules(timeline, gpu, 0.0, lasted) for gpu in gpus) / lasted


def _gpus(timeline: Timeline) -> list[int]:
    counters = timeline.gpu_index[timeline.series == Series.ENERGY_COUNTER_JOULES.value]
    return sorted({int(gpu) for gpu in counters})


def _joules(timeline: Timeline, gpu: int, start: float, end: float) -> float:
    seconds, joules = timeline.of(Series.ENERGY_COUNTER_JOULES, gpu)
    return float(np.diff(np.interp([start, end], seconds, joules))[0])


def _integral(timeline: Timeline, gpu: int, start: float, end: float) -> float:
    """Trapezoid integral of power."""
    seconds, watts = timeline.of(Series.POWER_WATTS, gpu)
    grid = np.r_[start, seconds[(seconds > start) & (seconds < end)], end]
    return float(np.trapezoid(np.interp(grid, seconds, watts), grid)) if len(seconds) else np.nan


def _energy(title: str, window: Window, timeline: Timeline) -> list[Pair]:
    if window.energy is None or window.start_seconds is None or window.end_seconds is None:
        return []
    start, end, gpus = window.start_seconds, window.end_seconds, _gpus(timeline)
    joules = {gpu: _joules(timeline, gpu, start, end) for gpu in gpus}
    integral = sum(_integral(timeline, gpu, start, end) for gpu in gpus) if gpus else None
    samples = len(timeline.between(start, end).of(Series.POWER_WATTS)[0])
    pairs = zip(window.energy.counter_joules_per_gpu, joules.items(), strict=False)
    return [
        *((f"joules of GPU {gpu}, {title} window", recorded, value) for recorded, (gpu, value) in pairs),
        (f"integral of power, {title} window", window.energy.integral_joules, integral),
        (f"seconds of the counter, {title} window", window.energy.counter_seconds, end - start),
        (f"samples of power, {title} window", window.energy.power_samples, samples),
    ]


def _device(device: Device, window: Window | None, timeline: Timeline) -> list[Pair]:
    """The span is that of the window that ranks; without one the record has no such figures."""
    if window is None or window.start_seconds is None or window.end_seconds is None:
        return []
    start, end = window.start_seconds, window.end_seconds
    inside = timeline.between(start, end)
    facts: list[tuple[str, float | None, Series, Statistic]] = [
        ("highest power in W", device.power_max_watts_per_gpu, Series.POWER_WATTS, np.max),
        ("lowest temperature", device.temperature_min_celsius, Series.TEMPERATURE_CELSIUS, np.min),
        ("highest temperature", device.temperature_max_celsius, Series.TEMPERATURE_CELSIUS, np.max),
        ("SM clock in MHz", device.sm_clock_median_mhz, Series.SM_CLOCK_MHZ, np.median),
        ("memory clock in MHz", device.memory_clock_median_mhz, Series.MEMORY_CLOCK_MHZ, np.median),
    ]
    return [
        *((name, recorded, _statistic(inside, series, how)) for name, recorded, series, how in facts),
        (
            "joules of the CPU",
            device.cpu_joules,
            host_joules(timeline, Series.CPU_COUNTER_JOULES, start, end),
        ),
        ("joules of DRAM", device.dram_joules, host_joules(timeline, Series.DRAM_COUNTER_JOULES, start, end)),
    ]


def _throttling(run: Run, timeline: Timeline) -> list[Pair]:
    """How many reasons stand in the record or in the samples, and not in both."""
    window, recorded = run.window_steady, run.device.throttle_reasons
    if recorded is None or window is None or window.start_seconds is None or window.end_seconds is None:
        return []
    bits = timeline.between(window.start_seconds, window.end_seconds).of(Series.THROTTLE_REASON_BITS)[1]
    vendor = next((vendor for vendor in VENDORS if vendor.energy_source is run.energy_source), None)
    if vendor is None or not len(bits):
        return []
    sampled = vendor.throttle_names(int(np.bitwise_or.reduce(bits.astype(np.int64))))
    return [("throttle reasons that differ", 0.0, len(set(sampled) ^ set(recorded)))]


def _server(server: Server, run: Run, timeline: Timeline) -> list[Pair]:
    """Gauges and counters over the window, else over all samples; events over the whole load."""
    window, inside = run.window_steady, timeline
    pairs: list[Pair] = []
    if window is not None and window.start_seconds is not None and window.end_seconds is not None:
        inside = timeline.between(window.start_seconds, window.end_seconds)
        pairs += [
            (
                "the server's CPU seconds",
                server.cpu_seconds,
                gained(timeline, Series.SERVER_CPU_SECONDS, window),
            ),
            (
                "CPU seconds of the server's front end",
                server.frontend_cpu_seconds,
                gained(timeline, Series.FRONTEND_CPU_SECONDS, window),
            ),
            ("ms of preparing a request", server.mean_preprocessing_ms, preprocessing_ms(timeline, window)),
            (
                "generated tokens in the window, by the server",
                server.generated_tokens_in_window,
                gained(timeline, Series.GENERATED_TOKENS, window),
            ),
            ("drafts in the window", server.drafts_in_window, gained(timeline, Series.DRAFTS, window)),
            (
                "accepted tokens in the window",
                server.accepted_tokens_in_window,
                gained(timeline, Series.ACCEPTED_TOKENS, window),
            ),
        ]
    usage = Series.KV_CACHE_USAGE
    recorded = {series: getattr(server, series.value) for series in _EVENTS}
    return [
        *pairs,
        (
            "samples of the server's metrics",
            server.metric_samples,
            len(inside.of(Series.RUNNING_REQUESTS)[0]),
        ),
        ("highest KV cache usage", server.max_kv_cache_usage, _statistic(inside, usage, np.max)),
        ("mean KV cache usage", server.mean_kv_cache_usage, _statistic(inside, usage, np.mean)),
        *((series.value, count, _increase(run, timeline, series)) for series, count in recorded.items()),
    ]


def _statistic(timeline: Timeline, series: Series, statistic: Statistic) -> float | None:
    values = timeline.of(series)[1]
    return float(statistic(values)) if len(values) else None


def _increase(run: Run, timeline: Timeline, series: Series) -> float | None:
    """By how much a counter grew from before the load to its last reading."""
    seconds, values = timeline.of(series)
    before = int(np.searchsorted(seconds, 0.0, side="right")) - 1
    ended = run.requests.duration_seconds if run.requests else np.inf
    return None if before < 0 or seconds[-1] < ended else float(values[-1] - values[before])
