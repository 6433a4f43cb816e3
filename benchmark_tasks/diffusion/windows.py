"""When generating has settled, as pure functions over recorded batches. No clock, no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from benchmark_tasks.measuring.steadiness import (
    CANDIDATE_STARTS,
    mean_watts,
    power_trend,
    relative_drift,
    unsettled_because,
)
from benchmark_tasks.meters.energy import EnergyCurve
from benchmark_tasks.plan.procedure import Procedure
from benchmark_tasks.results.schema import Window

FINEST_PARTS = 40
"""A window is compared in at most this many parts; with more batches, consecutive ones make up a part."""


@dataclass(frozen=True)
class Batches:
    """Whole batches, one after the other; seconds since the first one began."""

    begin_seconds: np.ndarray
    end_seconds: np.ndarray
    items: np.ndarray

    @classmethod
    def of(cls, times: Sequence[tuple[int, int, int]], origin_ns: int) -> Batches:
        """From (begin, end, items), nanoseconds."""
        begin, end, items = (np.array(column) for column in zip(*times, strict=True))
        return cls((begin - origin_ns) / 1e9, (end - origin_ns) / 1e9, items)

    @property
    def seconds(self) -> np.ndarray:
        """Duration of each batch, seconds."""
        seconds: np.ndarray = self.end_seconds - self.begin_seconds
        return seconds


def steady_window(batches: Batches, energy: EnergyCurve | None, procedure: Procedure) -> Window:
    """The window that ranks: whole batches, from the first one after warm-up to the last.

    Warm-up ends with the first batch that takes as long as the one before it (within `drift_limit`),
    after at least `warm_up_rounds`. The window is long enough when it lasts `minimum_window_seconds`
    and holds `full_turnovers` batches or lasts `long_window_seconds`; it is steady when neither
    throughput nor mean power trends by more than `drift_limit` across it, nor differs in some batches
    from the others (`steadiness.odd_part`). If the earliest start is not
    steady, later ones are tried as long as what remains is long enough.
    """
    earliest = _settled_from(batches.seconds, procedure)
    if earliest is None:
        return Window(settled=False, reason="never settled: the time a batch takes keeps changing")
    last = len(batches.items)
    reasons = []
    for start in np.unique(np.linspace(earliest, (earliest + last) / 2, CANDIDATE_STARTS).astype(int)):
        window = _describe(batches, int(start), energy, procedure)
        parts = _parts(batches, int(start), energy)
        reason = unsettled_because(window, last - int(start), "batches", procedure, parts)
        if reason is None:
            return window
        reasons.append(reason)
    return Window(settled=False, reason=f"never settled: {reasons[0]}")


def groups_of(batches: Batches, start: int, parts: int) -> list[np.ndarray]:
    """The batches from `start` on, split evenly into at most `parts` groups of consecutive batches."""
    count = len(batches.items) - start
    return [part + start for part in np.array_split(np.arange(count), min(parts, count))]


def inside(batches: Batches, window: Window) -> np.ndarray:
    """Mask of the batches in a window."""
    if window.start_seconds is None or window.end_seconds is None:
        return np.zeros(len(batches.items), dtype=bool)
    return (batches.begin_seconds >= window.start_seconds) & (batches.end_seconds <= window.end_seconds)


def _settled_from(seconds: np.ndarray, procedure: Procedure) -> int | None:
    """Index of the first batch after warm-up; `None` if there is none yet."""
    if procedure.warm_up_rounds == 0:
        return 0
    for i in range(procedure.warm_up_rounds, len(seconds)):
        if abs(seconds[i] - seconds[i - 1]) <= procedure.drift_limit * seconds[i]:
            return i
    return None


def _parts(batches: Batches, start: int, energy: EnergyCurve | None) -> dict[str, np.ndarray | None]:
    """Seconds per item and mean power of the batches from `start` on, each with the gap before it.

    More than `FINEST_PARTS` batches are taken in so many even runs.
    """
    groups = groups_of(batches, start, FINEST_PARTS)
    begin = batches.end_seconds[start - 1] if start else batches.begin_seconds[start]
    edges = np.array([begin, *(batches.end_seconds[group[-1]] for group in groups)])
    items = np.array([batches.items[group].sum() for group in groups])
    return {"time per item": np.diff(edges) / items, "power": mean_watts(list(pairwise(edges)), energy)}


def _describe(batches: Batches, start: int, energy: EnergyCurve | None, procedure: Procedure) -> Window:
    begin, end = float(batches.begin_seconds[start]), float(batches.end_seconds[-1])
    items, groups = batches.items[start:], groups_of(batches, start, procedure.sub_windows)
    spans = [(batches.begin_seconds[group[0]], batches.end_seconds[group[-1]]) for group in groups]
    rates = np.array([batches.items[g].sum() / (b - a) for g, (a, b) in zip(groups, spans, strict=True)])
    return Window(
        settled=True,
        start_seconds=begin,
        end_seconds=end,
        output_items=int(items.sum()),
        completed_requests=int(items.sum()),
        turnovers=float(len(items)),
        mean_running_requests=float((items * batches.seconds[start:]).sum() / (end - begin)),
        throughput_trend=relative_drift(rates),
        power_trend=power_trend(spans, energy),
    )
