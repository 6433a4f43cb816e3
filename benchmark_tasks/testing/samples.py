"""Sample runs for tests of what comes after measuring (landing, dbt, gate, pages).

The numbers are made up and self-consistent; `host` says so, and nothing here is ever published
outside a test.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from benchmark_tasks.results import bundle
from benchmark_tasks.results.histogram import histogram
from benchmark_tasks.results.identity import NO_GPU, Comparability, Configuration
from benchmark_tasks.results.schema import (
    Client,
    Device,
    Gpu,
    Latency,
    Phase,
    Provenance,
    Quantiles,
    Requests,
    Run,
    Sample,
    Server,
    Window,
    WindowEnergy,
    new_run_id,
)
from benchmark_tasks.results.tables import REQUESTS, TIMELINES, Series, write_table
from benchmark_tasks.vocabulary import (
    DEFAULT_RUNTIME,
    Architecture,
    EnergySource,
    LengthControl,
    RunStatus,
    Task,
    WeightPrecision,
    Weights,
)

_STARTED = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
_WINDOW_START, _WINDOW_SECONDS, _LOAD_SECONDS = 10.0, 60.0, 80.0
_TOKENS_PER_REQUEST = 500
_TTFT = Quantiles(p50=50, p90=80, p95=90, p99=120)
_LEVELS = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
_ANSWERS_WITH_PIECES = 3


def sample_run(
    *,
    run_id: str | None = None,
    model_id: str = "Qwen/Qwen3-8B",
    batch_size: int = 32,
    gpu: bool = True,
    power_watts: float = 500.0,
    tokens_per_second: float = 4000.0,
    runtime_version: str = "0.26.0",
    **changes: Any,
) -> Run:
    """A completed run whose counter and integral agree: power x 60 s. `gpu=False`: no energy.

    `changes` replace whole fields of the record. Counts and latencies are those of the requests that
    `write_sample` writes.
    """
    tokens = int(tokens_per_second * _LOAD_SECONDS)
    comparability = changes.get("comparability") or _comparability(runtime_version, gpu=gpu)
    fields: dict[str, Any] = {
        "run_id": run_id or new_run_id(),
        "status": RunStatus.COMPLETED,
        "started_at": _STARTED,
        "finished_at": _STARTED + timedelta(seconds=90),
        "configuration": _configuration(model_id, batch_size, gpu=gpu),
        "comparability": comparability,
        "energy_source": EnergySource.NVML_COUNTER if gpu else EnergySource.NONE,
        "energy_absent_reason": None if gpu else "this machine has no GPU energy counter",
        "requests": _requests_counted(tokens),
        "latency": _latency(tokens, batch_size),
        "device": _device(power_watts) if gpu else Device(),
        "server": _server(),
        "client": _client(),
        "phases": _phases(power_watts if gpu else None, _LOAD_SECONDS),
        "provenance": _provenance(comparability.runtime_version, gpu=gpu),
    }
    window = _window(tokens_per_second, batch_size, power_watts if gpu else None)
    run = Run(**(fields | {"window_mlenergy": window, "window_steady": window} | changes))
    return _as_in_files(run, kept=changes)


def sample_generation_run(
    *,
    video: bool = False,
    gpu: bool = True,
    batch_size: int = 4,
    power_watts: float = 600.0,
    seconds_a_batch: float = 3.0,
    runtime_version: str | None = None,
    **changes: Any,
) -> Run:
    """A completed run of an image model, or a video model, under xDiT: 60 s of batches, and six before.

    gpu: `False`: the tiny model under plain diffusers, without energy.
    """
    base = sample_run(gpu=gpu, power_watts=power_watts)
    batches, before = int(_WINDOW_SECONDS / seconds_a_batch), 6
    items, lasted = (batches + before) * batch_size, (batches + before) * seconds_a_batch
    fields: dict[str, Any] = {
        "configuration": _generating(base.configuration, batch_size, video=video, gpu=gpu),
        "comparability": base.comparability.model_copy(
            update={
                "runtime": "xdit" if gpu else "diffusers",
                "runtime_version": runtime_version or ("0.7.0" if gpu else "0.42.1"),
                "request_set_id": "synthetic-prompts-sample",
                "weights": Weights.RANDOM,
            }
        ),
        "finished_at": _STARTED + timedelta(seconds=lasted + 10),
        "requests": Requests(sent=items, completed=items, failed=0, duration_seconds=lasted),
        "phases": _phases(power_watts if gpu else None, lasted),
        "window_mlenergy": None,
        "window_steady": _window_of_batches(base, batches, batch_size, before * seconds_a_batch),
        "latency": Latency(ttft_ms=None, itl_ms=None, e2e_ms=_spread(seconds_a_batch * 1000)),
        "server": Server(session_id=new_run_id()),
        "sample": Sample(pixel_spread=30.0, non_finite_share=0.0 if video else None),
        "client": None,
        "provenance": base.provenance.model_copy(
            update={
                "runtime_distribution": "xfuser" if gpu else "diffusers",
                "runtime_packages": {"diffusers": "0.42.1", "torch": "2.11.0"},
            }
        ),
    }
    return _as_in_files(sample_run(gpu=gpu, power_watts=power_watts, **(fields | changes)), kept=changes)


def on_gpus(run: Run, *uuids: str) -> Run:
    """The run as if it had been measured on these GPUs."""
    gpu = run.provenance.gpus[0]
    gpus = tuple(gpu.model_copy(update={"index": i, "uuid": uuid}) for i, uuid in enumerate(uuids))
    return run.model_copy(update={"provenance": run.provenance.model_copy(update={"gpus": gpus})})


def write_sample(directory: Path, run: Run) -> Path:
    """Write a whole, verifiable bundle `directory/<run_id>/` for a run and return its folder."""
    path = directory / run.run_id
    path.mkdir(parents=True)
    write_table(path / bundle.REQUESTS_FILE, _requests(run), REQUESTS)
    write_table(path / bundle.TIMELINES_FILE, _timelines(run), TIMELINES)
    (path / bundle.SERVER_LOG).write_text("server: sample\n")
    (path / bundle.DRIVER_LOG).write_text("driver: sample\n")
    bundle.write_record(path, run)
    return path


def _configuration(model_id: str, batch_size: int, *, gpu: bool) -> Configuration:
    return Configuration(
        model_id=model_id,
        weight_precision=WeightPrecision.BFLOAT16,
        task=Task.LM_ARENA_CHAT,
        gpu_model="H200" if gpu else NO_GPU,
        num_gpus=1 if gpu else 0,
        batch_size=batch_size,
    )


def _generating(base: Configuration, batch_size: int, *, video: bool, gpu: bool) -> Configuration:
    """The configuration of an image model, or a video model; without a GPU that of the tiny one."""
    model_id = "Wan-AI/Wan2.1-T2V-1.3B-Diffusers" if video else "PixArt-alpha/PixArt-Sigma-XL-2-1024-MS"
    tiny = "jouleboard/wan-tiny" if video else "jouleboard/pixart-tiny"
    return base.model_copy(
        update={
            "model_id": model_id if gpu else tiny,
            "weight_precision": WeightPrecision.BFLOAT16 if gpu else WeightPrecision.FLOAT32,
            "task": Task.TEXT_TO_VIDEO if video else Task.TEXT_TO_IMAGE,
            "batch_size": batch_size,
            "inference_steps": 50 if video else 20,
            "height": 480 if video else 1024,
            "width": 832 if video else 1024,
            "num_frames": 81 if video else None,
        }
    )


def _comparability(runtime_version: str, *, gpu: bool) -> Comparability:
    return Comparability(
        runtime=DEFAULT_RUNTIME,
        runtime_version=runtime_version,
        request_set_id="synthetic-sample-chat",
        length_control=LengthControl.FIXED,
        power_limit_watts=700.0 if gpu else None,
        weights=Weights.DUMMY,
    )


def _window(tokens_per_second: float, batch_size: int, power_watts: float | None) -> Window:
    """The steady state; without power no energy."""
    requests = tokens_per_second * _WINDOW_SECONDS / _TOKENS_PER_REQUEST
    return Window(
        settled=True,
        start_seconds=_WINDOW_START,
        end_seconds=_WINDOW_START + _WINDOW_SECONDS,
        output_tokens=int(tokens_per_second * _WINDOW_SECONDS),
        completed_requests=int(requests),
        turnovers=requests / batch_size,
        mean_running_requests=float(batch_size),
        power_trend=None if power_watts is None else 0.0,
        throughput_trend=0.0,
        energy=None if power_watts is None else _energy(power_watts * _WINDOW_SECONDS),
    )


def _window_of_batches(base: Run, batches: int, batch_size: int, start: float) -> Window:
    """As long and with as much energy, with images or videos instead of tokens."""
    assert base.window_steady is not None
    return base.window_steady.model_copy(
        update={
            "start_seconds": start,
            "end_seconds": start + _WINDOW_SECONDS,
            "output_tokens": None,
            "output_items": batches * batch_size,
            "completed_requests": batches * batch_size,
            "turnovers": float(batches),
            "mean_running_requests": float(batch_size),
        }
    )


def _energy(joules: float) -> WindowEnergy:
    """Two instruments that agree."""
    return WindowEnergy(
        counter_joules=joules,
        counter_joules_per_gpu=(joules,),
        counter_seconds=_WINDOW_SECONDS,
        integral_joules=joules,
        power_samples=int(_WINDOW_SECONDS * 10),
    )


def _requests_counted(tokens: int) -> Requests:
    """Requests of the whole load."""
    return Requests(
        sent=tokens // _TOKENS_PER_REQUEST,
        completed=tokens // _TOKENS_PER_REQUEST,
        failed=0,
        prompt_tokens=tokens // 2,
        output_tokens=tokens,
        at_length_cap=0,
        duration_seconds=_LOAD_SECONDS,
    )


def _latency(tokens: int, batch_size: int) -> Latency:
    """Of rounds of `batch_size` requests that fill the load; most tokens take as long as the median."""
    requests = tokens // _TOKENS_PER_REQUEST
    rounds = -(-requests // batch_size)
    median_ms = 1000 * _LOAD_SECONDS / max(rounds, 1) / _TOKENS_PER_REQUEST
    spread, count = _spread(median_ms), max(tokens - requests, 0)
    shares = {"p50": 0.88, "p90": 0.045, "p95": 0.04, "p99": 0.035}
    seconds = np.array([getattr(spread, name) / 1000 for name in shares])
    counts = np.floor(np.array(list(shares.values())) * count)
    counts[0] += count - counts.sum()
    return Latency(
        ttft_ms=_TTFT, itl_ms=spread, e2e_ms=_spread(1000.0), itl_histogram=histogram(seconds, counts)
    )


def _spread(median_ms: float) -> Quantiles:
    """Quantiles around a median, in the proportions of a quiet server."""
    return Quantiles(p50=median_ms, p90=median_ms * 1.125, p95=median_ms * 1.25, p99=median_ms * 1.875)


def _device(power_watts: float) -> Device:
    return Device(
        idle_watts_before_server=83.0,
        idle_watts_before_server_max_per_gpu=83.0,
        idle_watts_loaded=120.0,
        temperature_min_celsius=45.0,
        temperature_max_celsius=60.0,
        sm_clock_median_mhz=1900.0,
        memory_clock_median_mhz=3201.0,
        power_max_watts_per_gpu=power_watts * 1.02,
        throttle_reasons=(),
    )


def _server() -> Server:
    return Server(
        session_id=new_run_id(),
        metric_samples=60,
        max_kv_cache_usage=0.4,
        mean_kv_cache_usage=0.35,
        mean_preprocessing_ms=2.0,
        cpu_seconds=90.0,
        frontend_cpu_seconds=30.0,
        preemptions=0,
        prefix_cache_hits=0,
        multimodal_cache_hits=0,
    )


def _client() -> Client:
    return Client(
        processes=1,
        cpu_seconds=4.0,
        cpu_share=0.05,
        loop_lag_p99_ms=0.4,
        loop_lag_max_ms=2.0,
        lagged=False,
    )


def _phases(power_watts: float | None, measured_seconds: float) -> tuple[Phase, ...]:
    """What the run took besides its window; without power no energy."""
    watts = power_watts or 0.0
    spent = (9000.0, min(2000.0, 4.0 * watts), watts * measured_seconds)
    joules = (None, None, None) if power_watts is None else spent
    lasted = {"server-start": 90.0, "warm-up": 5.0, "measure": measured_seconds}
    return tuple(
        Phase(name=name, seconds=seconds, joules=energy)
        for (name, seconds), energy in zip(lasted.items(), joules, strict=True)
    )


def _provenance(runtime_version: str, *, gpu: bool) -> Provenance:
    return Provenance(
        jouleboard_version="0.1.0",
        git_commit=None,
        catalog_hash="sample",
        model_revision=None,
        runtime_distribution=DEFAULT_RUNTIME,
        runtime_packages={DEFAULT_RUNTIME: runtime_version, "torch": "2.11.0"},
        server_arguments=(),
        host="sample",
        operating_system="Linux",
        cpu_model="sample",
        cpu_count=1,
        python_version="3.11",
        driver_version="580.0" if gpu else None,
        cuda_version="13.0" if gpu else None,
        gpus=(_H200,) if gpu else (),
        seed=0,
    )


_H200 = Gpu(
    index=0,
    name="NVIDIA H200",
    uuid="GPU-sample",
    vbios=None,
    memory_bytes=150_754_820_096,
    power_limit_watts=700.0,
)


def _as_in_files(run: Run, kept: Mapping[str, Any]) -> Run:
    """The run with the counts and latencies of its requests, but for the fields in `kept`."""
    times = _times(run)
    if times is None or run.requests is None:
        return run
    steady, mlenergy = (
        window and _window_as_in_files(run, window, times)
        for window in (run.window_steady, run.window_mlenergy)
    )
    changes: dict[str, Any] = {"window_steady": steady, "window_mlenergy": mlenergy}
    if run.latency is not None and "latency" not in kept:
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
    sent: np.ndarray
    first: np.ndarray
    finished: np.ndarray


def _times(run: Run) -> _Times | None:
    """As many requests as the record counts, `batch_size` at a time; no two runs have the same times."""
    if run.requests is None or not run.requests.completed:
        return None
    count, slots = run.requests.completed, run.configuration.batch_size
    each = run.requests.duration_seconds / -(-count // slots)
    number = np.arange(count)
    chance = _chance(run)
    early = chance.uniform(0, 1e-3, count) * min(each, 1.0)
    if run.requests.output_tokens is None:  # a batch ends as a whole
        early = early[number // slots]
    sent, rank = number // slots * each, chance.permutation(count) / max(count - 1, 1)
    levels = [0.0, *_LEVELS.values(), 1.0]
    waits = [_TTFT.p50, *(getattr(_TTFT, name) for name in _LEVELS), _TTFT.p99]
    first = np.interp(rank, levels, waits) / 1000 * min(each / 4, 1.0)  # of short answers, shorter
    return _Times(number % slots, sent, sent + first, sent + each - early)


def _window_as_in_files(run: Run, window: Window, times: _Times) -> Window:
    if window.start_seconds is None or window.end_seconds is None:
        return window
    start, end = window.start_seconds, window.end_seconds
    update: dict[str, Any] = {}
    if window.output_items is None:
        ended = (times.finished > start) & (times.finished <= end)
        update["completed_requests"] = int(ended.sum())
        slots = np.unique(times.slot)
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
    all_of_it = times.finished - times.sent
    if latency.ttft_ms is not None:
        first = _quantiles(times.first - times.sent)
        return latency.model_copy(update={"ttft_ms": first, "e2e_ms": _quantiles(all_of_it)})
    window = run.window_steady
    if window is None or window.start_seconds is None or window.end_seconds is None:
        return latency
    whole = (times.sent >= window.start_seconds) & (times.finished <= window.end_seconds)
    return latency.model_copy(update={"e2e_ms": _quantiles(all_of_it[whole])})


def _quantiles(seconds: np.ndarray) -> Quantiles | None:
    if not len(seconds):
        return None
    values = np.quantile(seconds, list(_LEVELS.values())) * 1000
    return Quantiles(**dict(zip(_LEVELS, map(float, values), strict=True)))


def _requests(run: Run) -> list[dict[str, Any]]:
    """The rows of `requests.parquet`, with as many tokens as the record counts."""
    times = _times(run)
    if times is None or run.requests is None:
        return []
    rows: list[dict[str, Any]] = [
        {
            "request_index": i,
            "process": 0,
            "slot": int(times.slot[i]),
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
    lasted = _LOAD_SECONDS if run.requests is None else max(run.requests.duration_seconds, _LOAD_SECONDS)
    times: np.ndarray = np.arange(math.ceil(lasted * 10) + 1) / 10
    return times


def _gauge_times(run: Run) -> np.ndarray:
    """When the server is asked: every second; never where there is none, or the run failed."""
    language = run.configuration.architecture is not Architecture.DIFFUSION
    asked = language and run.status is RunStatus.COMPLETED
    times: np.ndarray = np.arange(0.0, _LOAD_SECONDS + 2 if asked else 0.0)
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


def _timelines(run: Run) -> list[dict[str, Any]]:
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
