"""What the timelines of a bundle say: how well they cover the ranking window, and what they hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from benchmark_tasks.meters.vendors import VENDORS
from benchmark_tasks.results.schema import Run
from benchmark_tasks.results.tables import Series
from benchmark_tasks.vocabulary import EnergySource

if TYPE_CHECKING:
    import pandas as pd


BUCKET_SECONDS = 5.0
"""Coverage of a timeline is the share of the window's 5-second slices with at least one sample."""


def facts_of_timeline(run: Run, table: pa.Table | None, not_numbers: int = 0) -> dict[str, Any]:
    """The facts of `Evidence` that the timelines give; of a run without a window, only its bad samples.

    not_numbers: samples that are not in the table because they are no numbers.
    """
    if table is None:
        return {}
    series = table["series"].cast(pa.string())
    seconds, values = table["seconds"].to_numpy(), table["value"].to_numpy()
    names = series.to_numpy(zero_copy_only=False)
    facts: dict[str, Any] = {"bad_samples": not_numbers + int((values < 0).sum())}
    window = ranking_span(run)
    if window is None:
        return facts
    power, running = names == Series.POWER_WATTS, names == Series.RUNNING_REQUESTS
    if running.any():
        facts["metrics_coverage"] = _coverage(seconds[running], window)
    if power.any():
        gpu = table["gpu_index"].to_numpy(zero_copy_only=False)
        per_gpu = [
            (seconds[power & (gpu == index)], values[power & (gpu == index)])
            for index in np.unique(gpu[power])
        ]
        facts |= {
            "power_gpus": len(per_gpu),
            "power_coverage": min(_coverage(at, window) for at, _ in per_gpu),
            "power_frozen_seconds": max(_longest_frozen(at, watts, window) for at, watts in per_gpu),
            "timeline_joules": float(sum(_integral(at, watts, window) for at, watts in per_gpu)),
        }
    throttled = names == Series.THROTTLE_REASON_BITS
    if throttled.any():
        readings = table.filter(pa.array(throttled)).to_pandas()
        facts["power_cap_share"] = _power_cap_share(readings, window, run.energy_source)
    return facts


def _power_cap_share(readings: pd.DataFrame, window: Span, source: EnergySource) -> float | None:
    inside = readings[readings["seconds"].between(window.start, window.end)]
    vendor = next((vendor for vendor in VENDORS if vendor.energy_source is source), None)
    if vendor is None or inside.empty:
        return None
    names = {bits: vendor.throttle_names(int(bits)) for bits in inside["value"].unique()}
    capped = inside["value"].map(lambda bits: any("power_cap" in name for name in names[bits]))
    return float(capped.groupby(inside["gpu_index"]).mean().min())


@dataclass(frozen=True)
class Span:
    """From when to when, seconds after the start of the load."""

    start: float
    end: float


def ranking_span(run: Run) -> Span | None:
    """The span of the window that ranks: ours, else ML.ENERGY's; `None` when neither has one."""
    for window in (run.window_steady, run.window_mlenergy):
        if window is not None and window.start_seconds is not None and window.end_seconds is not None:
            return Span(window.start_seconds, window.end_seconds)
    return None


def _coverage(at: np.ndarray, window: Span) -> float:
    span = window.end - window.start
    slices = max(int(span // BUCKET_SECONDS), 1)
    inside = at[(at >= window.start) & (at < window.end)]
    width = span / slices if span > 0 else 1.0
    return len(np.unique(((inside - window.start) // width).astype(int))) / slices


def _longest_frozen(at: np.ndarray, values: np.ndarray, window: Span) -> float:
    """Seconds of the longest run of equal consecutive values inside the window."""
    inside = (at >= window.start) & (at <= window.end)
    order = np.argsort(at[inside])
    at, values = at[inside][order], values[inside][order]
    if at.size <= 1:
        return 0.0
    starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]])
    ends = np.r_[starts[1:] - 1, len(values) - 1]
    return float((at[ends] - at[starts]).max())


def _integral(at: np.ndarray, watts: np.ndarray, window: Span) -> float:
    """Trapezoid integral over the window, its ends interpolated, joules."""
    order = np.argsort(at)
    at, watts = at[order], watts[order]
    start, end = window.start, window.end
    inside = (at > start) & (at < end)
    grid = np.r_[start, at[inside], end]
    return float(np.trapezoid(np.interp(grid, at, watts), grid))
