"""Whether a window is long enough and steady: the rules that requests and batches share. No clock, no I/O."""

from __future__ import annotations

import numpy as np

from benchmark_tasks.meters.energy import EnergyCurve
from benchmark_tasks.plan.procedure import Procedure
from benchmark_tasks.results.schema import Window

CANDIDATE_STARTS = 6
"""How many places a window may begin at are tried."""


def candidate_starts(earliest: float, end: float) -> list[float]:
    """Where a window may begin, in the order in which they are tried: up to half may be left out."""
    return [float(start) for start in earliest + np.linspace(0.0, 0.5, CANDIDATE_STARTS) * (end - earliest)]


def relative_drift(values: np.ndarray) -> float:
    """Mean of the last third minus mean of the first third, as a share of the mean of all.

    Catches a slow trend as well as a step near either end. Below three values there is no drift.
    """
    third = len(values) // 3
    if third == 0 or np.mean(values) == 0:
        return 0.0
    return float((np.mean(values[-third:]) - np.mean(values[:third])) / np.mean(values))


def power_trend(spans: list[tuple[float, float]], energy: EnergyCurve | None) -> float | None:
    """Drift of the mean power over spans in (start, end] seconds; `None` where one has no reading."""
    if energy is None:
        return None
    watts = [energy.mean_watts(start, end) for start, end in spans]
    return None if None in watts else relative_drift(np.array(watts, dtype=float))


def unsettled_because(window: Window, count: float, counted: str, procedure: Procedure) -> str | None:
    """Why a window is too short or drifts; `count` of what is `counted` decide with its length."""
    assert window.start_seconds is not None and window.end_seconds is not None
    seconds = window.end_seconds - window.start_seconds
    if seconds < procedure.minimum_window_seconds:
        return f"only {seconds:.1f} s of the {procedure.minimum_window_seconds:g} s a window needs"
    if not (window.output_tokens or window.output_items):
        return f"nothing came out in {seconds:.1f} s"
    if count < procedure.full_turnovers and seconds < procedure.long_window_seconds:
        return (
            f"{count:g} {counted} in {seconds:.1f} s; "
            f"{procedure.full_turnovers} or {procedure.long_window_seconds:g} s are needed"
        )
    for what, trend in (("throughput", window.throughput_trend), ("power", window.power_trend)):
        if trend is not None and abs(trend) > procedure.drift_limit:
            return f"{what} drifts by {trend:+.1%} across the window"
    return None
