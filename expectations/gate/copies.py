"""Copies of a measurement, whatever else was changed: known by what no two measurements have in common.

Two runs never have the same request times or the same power samples. Of both, the ratios of neighbouring
differences are taken: they stay the same when a series is shifted, scaled or given another id. A run keeps
the smallest hashes of these ratios (MinHash), so that any two runs can be compared without their files.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmark_tasks.meters.meter import Timeline
from benchmark_tasks.results.tables import Series

KEPT = 64
"""Marks of each kind that a run keeps."""

SAME_SHARE = 0.2
"""Of the marks of two runs. Runs that are no copies share none, up to chance; half of a copied run shares a
third."""

FEWEST_SAME = 2

_TIME_DIGITS, _POWER_DIGITS = 9, 6
_POWERS_PER_MARK = 8
"""A driver may give power in whole watts: single ratios of such values are often equal."""

_SMALLEST = 1e-5
"""Differences below this share of the largest one have lost their digits to rounding."""


def marks_of_requests(finished_seconds: np.ndarray) -> tuple[int, ...]:
    """By when requests ended, in order."""
    return _kept(_marks(np.unique(finished_seconds), _TIME_DIGITS, 1))


def marks_of_power(timeline: Timeline, lasted_seconds: float) -> tuple[int, ...]:
    """By the power samples of every GPU during the load."""
    load = timeline.between(0.0, lasted_seconds)
    of_gpus = [load.of(Series.POWER_WATTS, gpu)[1] for gpu in load.gpu_indices()]
    return _kept(mark for watts in of_gpus for mark in _marks(watts, _POWER_DIGITS, _POWERS_PER_MARK))


def originals(run_ids: Sequence[str], marks: pa.ChunkedArray) -> dict[str, str]:
    """For each run that shares its marks with an earlier one: that one.

    marks: a list per run, in the order of ids, earliest first. Only marks that several runs have are
    compared: few.
    """
    lists = marks.combine_chunks()
    counts = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    ends, values = np.cumsum(counts), lists.flatten().to_numpy()
    places = _places_of_repeated(values)
    runs = np.searchsorted(ends, places, side="right")
    runs_with: dict[int, list[int]] = defaultdict(list)
    shared: dict[int, Counter[int]] = defaultdict(Counter)
    for run, mark in zip(runs.tolist(), values[places].tolist(), strict=True):
        shared[run].update(runs_with[mark])
        runs_with[mark].append(run)
    found: dict[str, str] = {}
    for run, others in shared.items():
        for other, count in others.items():
            if count >= max(FEWEST_SAME, SAME_SHARE * min(counts[run], counts[other])):
                found.setdefault(run_ids[run], run_ids[other])
    return found


def _places_of_repeated(values: np.ndarray) -> np.ndarray:
    """Where values are that are there more than once, in order."""
    in_order = np.sort(values)
    repeated = np.unique(in_order[1:][in_order[1:] == in_order[:-1]])
    if not repeated.size:
        return np.array([], int)
    nearest = repeated[np.minimum(np.searchsorted(repeated, values), repeated.size - 1)]
    return np.flatnonzero(nearest == values)


def _marks(values: np.ndarray, digits: int, per_mark: int) -> list[int]:
    """Hashes of `per_mark` neighbouring ratios of differences, rounded to significant digits."""
    gaps = np.diff(np.asarray(values, dtype=float))
    gaps = gaps[np.abs(gaps) > _SMALLEST * np.abs(gaps).max(initial=0.0)]
    if len(gaps) <= per_mark:
        return []
    ratios = [f"{ratio:.{digits - 1}e}" for ratio in gaps[1:] / gaps[:-1]]
    return [_hash(ratios[i : i + per_mark]) for i in range(len(ratios) - per_mark + 1)]


def _hash(parts: Iterable[str]) -> int:
    return int.from_bytes(hashlib.blake2b(" ".join(parts).encode(), digest_size=6).digest(), "big")


def _kept(marks: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted(set(marks))[:KEPT])
