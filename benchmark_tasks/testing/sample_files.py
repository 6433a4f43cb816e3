"""The files of a sample run: its requests, its timelines, and the record's figures that follow from them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmark_tasks.language.backlog import arrivals_of, backlog_between
from benchmark_tasks.results.schema import (
    Arrivals,
    Device,
    Latency,
    Quantiles,
    Run,
    Server,
    Window,
    WindowEnergy,
)
from benchmark_tasks.results.tables import Series
from benchmark_tasks.vocabulary import (
    Architecture,
    RunStatus,
)

LOAD_SECONDS = 80.0
"""How long load is offered to a sample run."""

ANSWER_SECONDS = 4.0
"""How long an answer of a sample run in an open loop takes."""

TTFT = Quantiles(p50=50, p90=80, p95=90, p99=120)
"""Of every sample run with tokens, in ms."""

LEVELS = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
_ANSWERS_WITH_PIECES = 3


def as_in_files(run: Run, kept: Mapping[str, Any]) -> Run:
    """The run with the counts and latencies of its requests, but for the fields in `kept`."""
    times = _times(run)
    if run.requests is None or (times is None and run.configuration.request_rate != 0):
        return run
    steady, mlenergy = (
        window and _window_as_in_files(run, window, times)
        for window in (run.window_steady, run.window_mlenergy)
    )
    changes: dict[str, Any] = {"window_steady": steady, "window_mlenergy": mlenergy}
    if times is not None and run.arrivals is not None and "arrivals" not in kept:
        changes["arrivals"] = _arrivals_as_in_files(run, run.arrivals, times)
    if times is not None and run.latency is not None and "latency" not in kept:
        changes["latency"] = _latency_as_in_files(run, run.latency, times)
    if steady is not None and steady.energy is not None and run.device.power_max_watts_per_gpu is not None:
        inside = _samples(run, steady, steady.energy)
        highest = max((float(watts.max()) for watts in inside if len(watts)), default=None)
        changes["device"] = run.device.model_copy(update={"power_max_watts_per_gpu": highest})
    if run.server is not None and run.server.metric_samples:
        samples = len(_inside(steady, _gauge_times(run))) if steady else 0
        changes["server"] = run.server.model_copy(update={"metric_samples": samples})
    return run.model_copy(update=changes)


@dataclass(frozen=True)
class _Times:
    """When each request was sent, got its first token and ended; which slot served it."""

    slot: np.ndarray
    due: np.ndarray | None
    sent: np.ndarray
    first: np.ndarray
    finished: np.ndarray


def _times(run: Run) -> _Times | None:
    """As many requests as the record counts, `batch_size` at a time; no two runs have the same times.

    In an open loop each is sent at its time, evenly spread, and takes `ANSWER_SECONDS`.
    """
    if run.requests is None or not run.requests.completed:
        return None
    if run.configuration.is_open:
        return _arriving(run, run.requests.completed, run.requests.duration_seconds)
    count, slots = run.requests.completed, run.configuration.batch_size
    each = run.requests.duration_seconds / -(-count // slots)
    number = np.arange(count)
    chance = _chance(run)
    early = chance.uniform(0, 1e-3, count) * min(each, 1.0)
    if run.requests.output_tokens is None:  # a batch ends as a whole
        early = early[number // slots]
    sent, rank = number // slots * each, chance.permutation(count) / max(count - 1, 1)
    levels = [0.0, *LEVELS.values(), 1.0]
    waits = [TTFT.p50, *(getattr(TTFT, name) for name in LEVELS), TTFT.p99]
    first = np.interp(rank, levels, waits) / 1000 * min(each / 4, 1.0)  # of short answers, shorter
    return _Times(number % slots, None, sent, sent + first, sent + each - early)


def _arriving(run: Run, count: int, lasted_seconds: float) -> _Times:
    number, chance = np.arange(count), _chance(run)
    due = number * (lasted_seconds - ANSWER_SECONDS) / max(count - 1, 1)
    sent = due + chance.uniform(0, 1e-3, count) * (number > 0)
    rank = chance.permutation(count) / max(count - 1, 1)
    levels = [0.0, *LEVELS.values(), 1.0]
    waits = [TTFT.p50, *(getattr(TTFT, name) for name in LEVELS), TTFT.p99]
    first = np.interp(rank, levels, waits) / 1000
    return _Times(number, due, sent, sent + first, due + ANSWER_SECONDS)


def _arrivals_as_in_files(run: Run, arrivals: Arrivals, times: _Times) -> Arrivals:
    window = run.window_steady
    assert window is not None and times.due is not None and run.configuration.burstiness is not None
    start, end = window.start_seconds, window.end_seconds
    if start is None or end is None:
        return arrivals
    backlog = backlog_between(times.sent, times.finished, start, end, run.configuration.burstiness)
    return arrivals_of(times.due, times.sent - times.due, start, end, backlog, arrivals.reason)


def _window_as_in_files(run: Run, window: Window, times: _Times | None) -> Window:
    if window.start_seconds is None or window.end_seconds is None:
        return window
    start, end = window.start_seconds, window.end_seconds
    update: dict[str, Any] = {}
    if times is None:
        pass
    elif window.output_items is None:
        ended = (times.finished > start) & (times.finished <= end)
        update["completed_requests"] = int(ended.sum())
        slots = np.unique(times.slot)
        if run.configuration.is_open:
            inside = np.minimum(times.finished, end) - np.maximum(times.sent, start)
            update["mean_running_requests"] = np.clip(inside, 0, None).sum() / (end - start)
        else:
            update["turnovers"] = float(min(int(ended[times.slot == slot].sum()) for slot in slots))
            if run.window_steady is not None:
                update["mean_running_requests"] = run.window_steady.mean_running_requests
    else:
        whole = (times.sent >= start) & (times.finished <= end)
        update["mean_running_requests"] = (times.finished - times.sent)[whole].sum() / (end - start)
    if window.energy is not None:
        samples = len(_inside(window, _sample_times(run))) * len(window.energy.counter_joules_per_gpu)
        update["energy"] = window.energy.model_copy(update={"power_samples": samples})
    return window.model_copy(update=update)


def _latency_as_in_files(run: Run, latency: Latency, times: _Times) -> Latency:
    all_of_it, window = times.finished - times.sent, run.window_steady
    if latency.ttft_ms is not None:
        counts = np.full(len(all_of_it), fill_value=True)
        if run.configuration.is_open and window is not None and window.start_seconds is not None:
            counts = (times.sent > window.start_seconds) & (times.sent <= (window.end_seconds or 0))
        first = _quantiles((times.first - times.sent)[counts])
        return latency.model_copy(update={"ttft_ms": first, "e2e_ms": _quantiles(all_of_it[counts])})
    if window is None or window.start_seconds is None or window.end_seconds is None:
        return latency
    whole = (times.sent >= window.start_seconds) & (times.finished <= window.end_seconds)
    return latency.model_copy(update={"e2e_ms": _quantiles(all_of_it[whole])})


def _quantiles(seconds: np.ndarray) -> Quantiles | None:
    if not len(seconds):
        return None
    values = np.quantile(seconds, list(LEVELS.values())) * 1000
    return Quantiles(**dict(zip(LEVELS, map(float, values), strict=True)))


def rows_of_requests(run: Run) -> list[dict[str, Any]]:
    """The rows of `requests.parquet`, with as many tokens as the record counts."""
    times = _times(run)
    if times is None or run.requests is None:
        return []
    rows: list[dict[str, Any]] = [
        {
            "request_index": i,
            "process": 0,
            "slot": int(times.slot[i]),
            "due_seconds": None if times.due is None else float(times.due[i]),
            "sent_seconds": float(times.sent[i]),
            "finished_seconds": float(times.finished[i]),
        }
        for i in range(len(times.slot))
    ]
    if run.requests.output_tokens is None:
        return rows
    outputs = _shared(run.requests.output_tokens, len(rows))
    prompts = _shared(run.requests.prompt_tokens or 0, len(rows))
    gap_us = round(1000 * run.latency.itl_ms.p50) if run.latency and run.latency.itl_ms else 0
    for i, row in enumerate(rows):
        pieces = i < _ANSWERS_WITH_PIECES and gap_us > 0 and outputs[i] > 0
        row |= {
            "first_token_seconds": float(times.first[i]),
            "prompt_tokens": prompts[i],
            "output_tokens": outputs[i],
            "max_tokens": outputs[i],
            "chunk_gap_us": [0, *[gap_us] * (outputs[i] - 1)] if pieces else None,
            "chunk_tokens": [1] * outputs[i] if pieces else None,
        }
    return rows


def _shared(total: int, count: int) -> list[int]:
    """A total in `count` parts that differ by one at most."""
    each, left_over = divmod(total, count)
    return [each + (i < left_over) for i in range(count)]


def _sample_times(run: Run) -> np.ndarray:
    """When the meters are read: every 100 ms."""
    lasted = LOAD_SECONDS if run.requests is None else max(run.requests.duration_seconds, LOAD_SECONDS)
    times: np.ndarray = np.arange(math.ceil(lasted * 10) + 1) / 10
    return times


def _gauge_times(run: Run) -> np.ndarray:
    """When the server is asked: every second; never where there is none, or the run failed."""
    language = run.configuration.architecture is not Architecture.DIFFUSION
    asked = language and run.status is RunStatus.COMPLETED
    times: np.ndarray = np.arange(0.0, LOAD_SECONDS + 2 if asked else 0.0)
    return times


def _inside(window: Window, times: np.ndarray) -> np.ndarray:
    if window.start_seconds is None or window.end_seconds is None:
        return times
    inside: np.ndarray = times[(times >= window.start_seconds) & (times <= window.end_seconds)]
    return inside


def _samples(run: Run, window: Window, energy: WindowEnergy) -> list[np.ndarray]:
    """Power of each GPU in a window."""
    times = _sample_times(run)
    inside = np.isin(times, _inside(window, times))
    return [_watts(run, joules / energy.counter_seconds)[inside] for joules in energy.counter_joules_per_gpu]


def _watts(run: Run, mean: float) -> np.ndarray:
    """Power whenever the meters are read: a ripple around a mean, like no other run's."""
    times, chance = _sample_times(run), _chance(run)
    watts: np.ndarray = mean * (1 + 0.02 * np.sin(10 * times) + chance.uniform(-1e-3, 1e-3, len(times)))
    return watts


def _chance(run: Run) -> np.random.Generator:
    """The same each time for one run."""
    return np.random.default_rng(int(run.run_id.replace("-", ""), 16))


def rows_of_timelines(run: Run) -> list[dict[str, Any]]:
    """Power and energy counter at 10 Hz, with a ripple around a mean, and the server's metrics at 1 Hz."""
    rows = _server_rows(run)
    windows = (run.window_steady, run.window_mlenergy)
    window = next((window for window in windows if window is not None and window.energy is not None), None)
    if window is None or window.energy is None:
        return rows
    times = _sample_times(run)
    for gpu, joules in enumerate(window.energy.counter_joules_per_gpu):
        mean = joules / window.energy.counter_seconds
        rows += _rows(Series.POWER_WATTS, times, _watts(run, mean), gpu)
        rows += _rows(Series.ENERGY_COUNTER_JOULES, times, mean * times, gpu)
        rows += _device_rows(run.device, window, times, gpu)
    return rows


def _device_rows(device: Device, window: Window, times: np.ndarray, gpu: int) -> list[dict[str, Any]]:
    """Temperature from its lowest to its highest value in the window, and clocks."""
    coldest, hottest = device.temperature_min_celsius, device.temperature_max_celsius
    rows = []
    if coldest is not None and hottest is not None:
        inside = _inside(window, times)
        celsius = np.interp(times, [inside[0], inside[-1]], [coldest, hottest])
        rows += _rows(Series.TEMPERATURE_CELSIUS, times, celsius, gpu)
    for series, mhz in (
        (Series.SM_CLOCK_MHZ, device.sm_clock_median_mhz),
        (Series.MEMORY_CLOCK_MHZ, device.memory_clock_median_mhz),
    ):
        rows += [] if mhz is None else _rows(series, times, np.full(len(times), mhz), gpu)
    return rows


def _server_rows(run: Run) -> list[dict[str, Any]]:
    """What the server says: what the record has of it."""
    times, server, window = _gauge_times(run), run.server, run.window_steady
    if not len(times):
        return []
    running = window.mean_running_requests if window else None
    steady: dict[Series, float] = {Series.RUNNING_REQUESTS: running or run.configuration.batch_size}
    rates: dict[Series, float | None] = {}
    if server is not None and window is not None and window.start_seconds is not None:
        lasted = (window.end_seconds or 0) - window.start_seconds
        rates = {
            Series.SERVER_CPU_SECONDS: _rate(server.cpu_seconds, lasted),
            Series.FRONTEND_CPU_SECONDS: _rate(server.frontend_cpu_seconds, lasted),
            Series.GENERATED_TOKENS: _rate(server.generated_tokens_in_window, lasted),
            Series.DRAFTS: _rate(server.drafts_in_window, lasted),
            Series.ACCEPTED_TOKENS: _rate(server.accepted_tokens_in_window, lasted),
            Series.FINISHED_REQUESTS: 8.0,
            Series.REQUEST_SECONDS: 8.0 * (4.0 + (server.mean_preprocessing_ms or 0) / 1000),
            Series.QUEUE_SECONDS: 8.0,
            Series.INFERENCE_SECONDS: 24.0,
        }
    rows = _kv_cache_rows(server, window, times)
    for series, value in steady.items():
        rows += _rows(series, times, np.full(len(times), value))
    for series, rate in rates.items():
        rows += [] if rate is None else _rows(series, times, rate * times)
    for series in (Series.PREEMPTIONS, Series.PREFIX_CACHE_HITS, Series.MULTIMODAL_CACHE_HITS):
        count = None if server is None else getattr(server, series.value)
        rows += [] if count is None else _rows(series, times, np.where(times > 0, float(count), 0.0))
    return rows


def _kv_cache_rows(server: Server | None, window: Window | None, times: np.ndarray) -> list[dict[str, Any]]:
    """One sample at the highest usage, the others so that the mean is as recorded."""
    if server is None or server.max_kv_cache_usage is None or server.mean_kv_cache_usage is None:
        return []
    inside = _inside(window, times) if window else times
    highest, mean, count = server.max_kv_cache_usage, server.mean_kv_cache_usage, len(inside)
    others = (mean * count - highest) / max(count - 1, 1)
    at_highest = times == inside[0]
    return _rows(Series.KV_CACHE_USAGE, times, np.where(at_highest, highest, others))


def _rate(total: float | None, seconds: float) -> float | None:
    return None if total is None or seconds <= 0 else total / seconds


def _rows(
    series: Series, times: Sequence[float] | np.ndarray, values: np.ndarray, gpu: int | None = None
) -> list[dict[str, Any]]:
    return [
        {"series": series, "gpu_index": gpu, "seconds": float(at), "value": float(value)}
        for at, value in zip(times, values, strict=True)
    ]
