"""Whether a window is long enough and steady: the rules that requests and batches share. No clock, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from benchmark_tasks.meters.energy import EnergyCurve
from benchmark_tasks.plan.procedure import Procedure
from benchmark_tasks.results.schema import Window
from benchmark_tasks.statistics import FALSE_ALARMS, OddParts, against_rest, odd_parts

CANDIDATE_STARTS = 6
"""How many places a window may begin at are tried."""

FEW_PARTS = 5
"""Below this nothing is known about the scatter of parts; one that differs by more than the limit is odd."""

STRICTNESS = ((FALSE_ALARMS, 0.1), (0.05, 0.5))
"""(false alarms, smallest shift of the mean as a share of the drift limit): odd parts that move the mean by
less than a tenth of the limit do not matter; those that move it by half of the limit need less proof."""


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


def odd_part(values: np.ndarray, limit: float) -> OddParts | None:
    """The parts of a window that differ from its other parts, wherever they are, if that matters.

    By more than `limit` (a share), by more than chance (`statistics.odd_parts`), and by enough to move the
    mean (`STRICTNESS`). A slow middle, which `relative_drift` cannot see.
    """
    if len(values) < 2 or np.ptp(values) <= limit * np.min(values):
        return None
    for false_alarms, smallest in STRICTNESS:
        found = odd_parts(values, false_alarms) if len(values) >= FEW_PARTS else (_farthest(values),)
        for odd in found:
            if abs(odd.depth) > limit and abs(odd.shift) > smallest * limit:
                return odd
    return None


def is_steady(series: Iterable[np.ndarray], limit: float) -> bool:
    """Whether none of these drifts from the first to the last third, or has odd parts."""
    return all(abs(relative_drift(values)) <= limit and odd_part(values, limit) is None for values in series)


def mean_watts(spans: Sequence[tuple[float, float]], energy: EnergyCurve | None) -> np.ndarray | None:
    """Mean power of spans in (start, end] seconds; `None` where one has no reading."""
    watts = [] if energy is None else [energy.mean_watts(start, end) for start, end in spans]
    return None if energy is None or None in watts else np.array(watts, dtype=float)


def power_trend(spans: list[tuple[float, float]], energy: EnergyCurve | None) -> float | None:
    """Drift of the mean power over spans in (start, end] seconds; `None` where one has no reading."""
    watts = mean_watts(spans, energy)
    return None if watts is None else relative_drift(watts)


def unsettled_because(
    window: Window,
    count: float,
    counted: str,
    procedure: Procedure,
    parts: Mapping[str, np.ndarray | None],
) -> str | None:
    """Why a window is too short, drifts, or has odd parts.

    `count` of what is `counted` decide with its length. parts: speed and power of its parts, in order.
    """
    assert window.start_seconds is not None and window.end_seconds is not None
    seconds = window.end_seconds - window.start_seconds
    if seconds < procedure.minimum_window_seconds:
        return f"only {seconds:.1f} s of the {procedure.minimum_window_seconds:g} s a window needs"
    if not (window.output_tokens or window.output_items):
        return f"no output in {seconds:.1f} s"
    if count < procedure.full_turnovers and seconds < procedure.long_window_seconds:
        return (
            f"{count:g} {counted} in {seconds:.1f} s; "
            f"{procedure.full_turnovers} or {procedure.long_window_seconds:g} s are needed"
        )
    for what, trend in (("throughput", window.throughput_trend), ("power", window.power_trend)):
        if trend is not None and abs(trend) > procedure.drift_limit:
            return f"{what} drifts by {trend:+.1%} across the window"
    for what, values in parts.items():
        odd = None if values is None else odd_part(values, procedure.drift_limit)
        if values is not None and odd is not None:
            return in_words(what, odd, len(values))
    return None


def in_words(what: str, odd: OddParts, count: int) -> str:
    """Which of `count` parts differ, and by how much."""
    first, last = odd.parts[0] + 1, odd.parts[-1] + 1
    if first == last:
        where = f"part {first}"
    elif last - first + 1 == len(odd.parts):
        where = f"parts {first} to {last}"
    else:
        where = f"parts {', '.join(str(part + 1) for part in odd.parts)}"
    return f"{what} in {where} of {count} differs from the other parts by {odd.depth:+.1%}"


def _farthest(values: np.ndarray) -> OddParts:
    """The part that is farthest from the middle of the others."""
    middles = np.array([np.median(np.delete(values, part)) for part in range(len(values))])
    return against_rest(values, (int(np.argmax(np.abs(values - middles))),))
