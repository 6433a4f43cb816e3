"""The window of a server without requests: how long it is waited for, and where its power is steady."""

from __future__ import annotations

import time
from itertools import pairwise

from benchmark_tasks.language.measurement import Bench
from benchmark_tasks.language.windows import sub_window_edges
from benchmark_tasks.measuring.steadiness import candidate_starts, mean_watts, relative_drift
from benchmark_tasks.meters.energy import EnergyCurve, energy_curve
from benchmark_tasks.plan.procedure import Procedure
from benchmark_tasks.results.schema import Window

POLL_SECONDS = 0.25


def wait_quietly(bench: Bench, origin_ns: int, mark: int) -> tuple[Window, float]:
    """Wait until the window since an instant has settled; (the window, seconds since then).

    origin_ns: the instant, of `time.perf_counter_ns`. mark: of the devices' recorder, from before it.

    Raises:
        ServerDied
    """
    procedure, window = bench.procedure, Window(settled=False)
    while True:
        lasted = _wait(
            bench, origin_ns, procedure.long_window_seconds if window.reason is None else POLL_SECONDS
        )
        window = idle_window(lasted, energy_curve(bench.devices.timeline(origin_ns, mark)), procedure)
        if window.settled or lasted >= procedure.maximum_seconds:
            return window, lasted


def _wait(bench: Bench, origin_ns: int, seconds: float) -> float:
    """Wait so long beside a living server; seconds since the origin then."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        bench.server.raise_if_dead()
        time.sleep(min(POLL_SECONDS, max(deadline - time.monotonic(), 0.0)))
    return (time.perf_counter_ns() - origin_ns) / 1e9


def idle_window(lasted_seconds: float, energy: EnergyCurve | None, procedure: Procedure) -> Window:
    """The window of a server without requests: as long as others, from where its power is steady."""
    drift = 0.0
    for start in candidate_starts(0.0, lasted_seconds):
        if lasted_seconds - start < procedure.minimum_window_seconds:
            break
        edges = sub_window_edges(start, lasted_seconds, procedure.sub_windows)
        watts = mean_watts(list(pairwise(edges))[:-1], energy)  # the last readings are still to come
        trend = None if watts is None else relative_drift(watts)
        if trend is None or abs(trend) <= procedure.drift_limit:
            return Window(
                settled=True,
                start_seconds=start,
                end_seconds=lasted_seconds,
                output_tokens=0,
                completed_requests=0,
                mean_running_requests=0.0,
                power_trend=trend,
            )
        drift = trend
    return Window(settled=False, reason=f"never settled: power drifts by {drift:+.1%} across the window")
