"""Sample runs for tests of what comes after measuring (landing, dbt, gate, pages).

The numbers are made up and self-consistent; `host` says so, and nothing here is ever published
outside a test.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from benchmark_tasks.results import bundle
from benchmark_tasks.results.histogram import histogram
from benchmark_tasks.results.identity import NO_GPU, Comparability, Configuration
from benchmark_tasks.results.schema import (
    Arrivals,
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
from benchmark_tasks.results.tables import REQUESTS, TIMELINES, write_table
from benchmark_tasks.testing.sample_files import (
    ANSWER_SECONDS,
    LOAD_SECONDS,
    TTFT,
    as_in_files,
    rows_of_requests,
    rows_of_timelines,
)
from benchmark_tasks.vocabulary import (
    DEFAULT_RUNTIME,
    EnergySource,
    LengthControl,
    RunStatus,
    Task,
    WeightPrecision,
    Weights,
)

_STARTED = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


_WINDOW_START, _WINDOW_SECONDS = 10.0, 60.0


_TOKENS_PER_REQUEST = 500


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
    tokens = int(tokens_per_second * LOAD_SECONDS)
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
        "phases": _phases(power_watts if gpu else None, LOAD_SECONDS),
        "provenance": _provenance(comparability.runtime_version, gpu=gpu),
    }
    window = _window(tokens_per_second, batch_size, power_watts if gpu else None)
    run = Run(**(fields | {"window_mlenergy": window, "window_steady": window} | changes))
    return as_in_files(run, kept=changes)


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
        "sample": Sample(
            pixel_spread=30.0,
            non_finite_share=0.0 if video else None,
            computed_width=832 if video else 1024,
            computed_height=480 if video else 1024,
            frames=81 if video else 1,
        ),
        "client": None,
        "provenance": base.provenance.model_copy(
            update={
                "runtime_distribution": "xfuser" if gpu else "diffusers",
                "runtime_packages": {"diffusers": "0.42.1", "torch": "2.11.0"},
            }
        ),
    }
    return as_in_files(sample_run(gpu=gpu, power_watts=power_watts, **(fields | changes)), kept=changes)


def sample_open_run(
    *,
    request_rate: float = 5.0,
    gpu: bool = True,
    batch_size: int = 64,
    power_watts: float = 300.0,
    sustained: bool = True,
    **changes: Any,
) -> Run:
    """A completed run of requests that arrive by themselves, answers of 500 tokens; at rate 0 an idle one.

    sustained: otherwise its record says that the backlog grows, which its files do not.
    """
    base = sample_run(gpu=gpu, batch_size=batch_size, power_watts=power_watts)
    answers = round(request_rate * (LOAD_SECONDS - ANSWER_SECONDS)) + 1 if request_rate else 0
    counted = round(request_rate * _WINDOW_SECONDS)
    tokens = counted * _TOKENS_PER_REQUEST
    assert base.window_steady is not None
    window = base.window_steady.model_copy(
        update={"output_tokens": tokens, "completed_requests": counted, "turnovers": None}
    )
    load = {"request_rate": request_rate, "burstiness": 1.0 if request_rate else None}
    fields: dict[str, Any] = {
        "configuration": base.configuration.model_copy(update=load),
        "requests": _requests_counted(answers * _TOKENS_PER_REQUEST),
        "latency": _latency_around(1000 * ANSWER_SECONDS / _TOKENS_PER_REQUEST / 1.06, tokens - counted),
        "window_mlenergy": None,
        "window_steady": window,
        "arrivals": Arrivals(
            scheduled=0,
            arrived=0,
            mean_backlog=0.0,
            busy_share=0.0,
            sustained=sustained,
            reason=None if sustained else "the backlog grows by 2 requests/s",
        ),
    }
    if not request_rate:
        fields |= {"latency": None, "client": None}
        fields["window_steady"] = window.model_copy(update={"mean_running_requests": 0.0})
    return as_in_files(
        sample_run(gpu=gpu, batch_size=batch_size, power_watts=power_watts, **(fields | changes)),
        kept=changes,
    )


def on_gpus(run: Run, *uuids: str) -> Run:
    """The run as if it had been measured on these GPUs."""
    gpu = run.provenance.gpus[0]
    gpus = tuple(gpu.model_copy(update={"index": i, "uuid": uuid}) for i, uuid in enumerate(uuids))
    return run.model_copy(update={"provenance": run.provenance.model_copy(update={"gpus": gpus})})


def write_sample(directory: Path, run: Run) -> Path:
    """Write a whole, verifiable bundle `directory/<run_id>/` for a run and return its folder."""
    path = directory / run.run_id
    path.mkdir(parents=True)
    write_table(path / bundle.REQUESTS_FILE, rows_of_requests(run), REQUESTS)
    write_table(path / bundle.TIMELINES_FILE, rows_of_timelines(run), TIMELINES)
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
        duration_seconds=LOAD_SECONDS,
    )


def _latency(tokens: int, batch_size: int) -> Latency:
    """Of rounds of `batch_size` requests that fill the load; most tokens take as long as the median."""
    requests = tokens // _TOKENS_PER_REQUEST
    rounds = -(-requests // batch_size)
    median_ms = 1000 * LOAD_SECONDS / max(rounds, 1) / _TOKENS_PER_REQUEST
    return _latency_around(median_ms, max(tokens - requests, 0))


def _latency_around(median_ms: float, count: int) -> Latency:
    """Of so many tokens after the first ones of their answers."""
    spread = _spread(median_ms)
    shares = {"p50": 0.88, "p90": 0.045, "p95": 0.04, "p99": 0.035}
    seconds = np.array([getattr(spread, name) / 1000 for name in shares])
    counts = np.floor(np.array(list(shares.values())) * count)
    counts[0] += count - counts.sum()
    return Latency(
        ttft_ms=TTFT, itl_ms=spread, e2e_ms=_spread(1000.0), itl_histogram=histogram(seconds, counts)
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
