"""One run on a loaded pipeline: generate until settled, read the energy, summarise."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark_tasks.client.latency import quantiles
from benchmark_tasks.diffusion.generator import Batch, Ended, RunningGenerator
from benchmark_tasks.diffusion.windows import Batches, groups_of, inside, steady_window
from benchmark_tasks.errors import MeterError, ServerNeverHealthy
from benchmark_tasks.measuring.instruments import device_during, phase, with_energy
from benchmark_tasks.measuring.session import PointResult
from benchmark_tasks.meters.energy import energy_between, energy_curve
from benchmark_tasks.meters.meter import Recorder, Timeline
from benchmark_tasks.plan.procedure import Procedure
from benchmark_tasks.results.bundle import SAMPLE_FILE
from benchmark_tasks.results.schema import Device, Latency, Phase, Requests, Server, Window
from benchmark_tasks.runtimes.server import POLL_SECONDS
from benchmark_tasks.statistics import energy_interval

FEWEST_BATCHES = 6
"""Generating is not stopped as unsettled before this many batches, however long they take."""

LONGEST_BATCH_SECONDS = 3600.0
LOOK_SECONDS = 0.5
SAY_SECONDS = 10.0
FEWEST_GROUPS = 3


@dataclass(frozen=True)
class Bench:
    """What a run needs of its surroundings: the pipeline and the recorder beside it."""

    generator: RunningGenerator
    devices: Recorder
    procedure: Procedure
    say: Callable[[str], None]


def measure_point(bench: Bench, batch_size: int) -> PointResult:
    """Generate batches of a size until their window has settled, and evaluate what was recorded.

    Raises:
        ServerDied, OutOfMemory: the generating process ended.
        ServerNeverHealthy: a batch does not end.
    """
    bench.say(f"batch {batch_size}: generating")
    mark = bench.devices.mark()
    number = bench.generator.begin(batch_size)
    batches, origin_ns = _generate(bench, mark)
    ended = bench.generator.end(number)
    ended_ns = time.perf_counter_ns()
    bench.devices.wait_past(ended_ns)
    timeline = bench.devices.timeline(origin_ns, mark)
    window, reason = with_energy(
        steady_window(batches, energy_curve(timeline), bench.procedure), timeline, bench.devices
    )
    return PointResult(
        requests=_requests(batches),
        window_steady=window,
        energy_absent_reason=reason,
        latency=_latency(batches, window),
        device=_device(timeline, window, ended),
        server=Server(session_id=bench.generator.session_id),
        phases=_phases(bench, window, (origin_ns, ended_ns), mark),
        request_rows=_rows(batches),
        timeline=timeline,
        sample=ended.sample,
        files=_files(bench, number),
    )


def _generate(bench: Bench, mark: int) -> tuple[Batches, int]:
    """Follow the batches until there are enough; returns them and when the first one began."""
    times: list[tuple[int, int, int]] = []
    began = last_batch = last_look = last_line = time.monotonic()
    while True:
        new = [event for event in bench.generator.new_events() if isinstance(event, Batch)]
        times += [(batch.begin_ns, batch.end_ns, batch.items) for batch in new]
        now = time.monotonic()
        last_batch = now if new else last_batch
        if now - last_batch > LONGEST_BATCH_SECONDS:
            raise ServerNeverHealthy(f"no batch ended within {LONGEST_BATCH_SECONDS:g} s; see server.log")
        if now - last_line > SAY_SECONDS:
            last_line = now
            bench.say(f"  generating for {now - began:.0f} s, {len(times)} batches")
        if new and now - last_look > LOOK_SECONDS:
            last_look = now
            batches = Batches.of(times, times[0][0])
            too_long = len(times) >= FEWEST_BATCHES and now - began > bench.procedure.maximum_seconds
            if too_long or _enough(bench, batches, times[0][0], mark):
                return batches, times[0][0]
        time.sleep(POLL_SECONDS)


def _enough(bench: Bench, batches: Batches, origin_ns: int, mark: int) -> bool:
    """Whether the window has settled and its energy per item is known well enough."""
    bench.devices.wait_past(time.perf_counter_ns())
    timeline = bench.devices.timeline(origin_ns, mark)
    window = steady_window(batches, energy_curve(timeline), bench.procedure)
    target = bench.procedure.target_relative_interval
    if not window.settled or target is None or not bench.devices.meter.gpus:
        return window.settled
    groups = groups_of(batches, int(np.argmax(inside(batches, window))), bench.procedure.sub_windows)
    if len(groups) < FEWEST_GROUPS:
        return True  # long batches: a few of them fill the window
    joules = _joules(batches, groups, timeline)
    interval = energy_interval(joules, [batches.items[group].sum() for group in groups[: len(joules)]])
    return interval is not None and interval <= target


def _joules(batches: Batches, groups: list[np.ndarray], timeline: Timeline) -> np.ndarray:
    """Joules of each group of batches; empty if the counter has no readings for it."""
    try:
        spans = [(batches.begin_seconds[g[0]], batches.end_seconds[g[-1]]) for g in groups]
        return np.array([energy_between(timeline, float(a), float(b)).counter_joules for a, b in spans])
    except MeterError:
        return np.array([])


def _requests(batches: Batches) -> Requests:
    count = int(batches.items.sum())
    return Requests(sent=count, completed=count, failed=0, duration_seconds=float(batches.end_seconds[-1]))


def _latency(batches: Batches, window: Window) -> Latency | None:
    chosen = inside(batches, window)
    if not chosen.any():
        return None
    seconds = np.repeat(batches.seconds[chosen], batches.items[chosen])
    return Latency(ttft_ms=None, itl_ms=None, e2e_ms=quantiles(seconds))


def _device(timeline: Timeline, window: Window, ended: Ended) -> Device:
    device = device_during(timeline, window)
    return device.model_copy(update={"peak_memory_bytes_per_gpu": max(ended.peak_memory_bytes, default=None)})


def _phases(bench: Bench, window: Window, span_ns: tuple[int, int], mark: int) -> tuple[Phase, ...]:
    """Warm-up is the time before the window; all of the time if there is no window."""
    origin_ns, last_ns = span_ns
    warm_ns = last_ns if window.start_seconds is None else origin_ns + int(window.start_seconds * 1e9)
    return (
        phase("warm-up", origin_ns, warm_ns, bench.devices, mark),
        phase("measure", warm_ns, last_ns, bench.devices, mark),
    )


def _rows(batches: Batches) -> list[dict[str, object]]:
    """One row per image or video, as `results.tables.REQUESTS` has them; they have no tokens."""
    rows: list[dict[str, object]] = []
    for begin, end, items in zip(batches.begin_seconds, batches.end_seconds, batches.items, strict=True):
        rows += [
            {
                "request_index": len(rows) + slot,
                "process": 0,
                "slot": slot,
                "sent_seconds": float(begin),
                "finished_seconds": float(end),
            }
            for slot in range(int(items))
        ]
    return rows


def _files(bench: Bench, number: int) -> dict[str, Path]:
    path = bench.generator.sample(number)
    return {} if path is None else {SAMPLE_FILE: path}
