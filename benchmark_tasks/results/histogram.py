"""A latency histogram with fixed logarithmic bins: two histograms are merged by adding their counts.

Bin k covers [10 us * 10^(k/50), 10 us * 10^((k+1)/50)): 50 bins per decade, 4.7 % wide each.
Bin 0 also counts everything shorter.
"""

from __future__ import annotations

import numpy as np

from benchmark_tasks.results.record import LAST_BIN

SMALLEST_SECONDS = 1e-5
BINS_PER_DECADE = 50


def histogram(seconds: np.ndarray, weights: np.ndarray) -> dict[int, int]:
    """Counts of the occupied bins. `weights`: how many latencies each entry stands for."""
    if len(seconds) == 0:
        return {}
    bins = np.floor(np.log10(np.maximum(seconds, SMALLEST_SECONDS) / SMALLEST_SECONDS) * BINS_PER_DECADE)
    counts = np.bincount(np.clip(bins, 0, LAST_BIN).astype(int), weights=weights)
    return {int(k): int(counts[k]) for k in np.flatnonzero(counts)}


def bin_edges_seconds(k: int) -> tuple[float, float]:
    """[lower, upper) edge of bin k, seconds."""
    return tuple(SMALLEST_SECONDS * 10 ** (edge / BINS_PER_DECADE) for edge in (k, k + 1))  # type: ignore[return-value]
