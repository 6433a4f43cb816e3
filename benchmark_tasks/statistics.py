"""How well a mean is known, and a change between two means: Student's t intervals."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95


def relative_interval(values: Sequence[float] | np.ndarray, confidence: float = CONFIDENCE) -> float | None:
    """Half-width of the t interval of the mean, as a share of the mean; `None` below three values."""
    from scipy import stats

    if len(values) < 3 or np.mean(values) == 0:
        return None
    half = stats.t.ppf((1 + confidence) / 2, len(values) - 1) * stats.sem(values)
    return float(half / np.mean(values))


def energy_interval(
    joules: Sequence[float] | np.ndarray, outputs: Sequence[float] | np.ndarray
) -> float | None:
    """95 % half-width of energy per output over the parts of a window, as a share of its mean.

    joules, outputs: of each part. `None` below three parts, or where nothing came out of one.
    """
    made = np.asarray(outputs, dtype=float)
    return relative_interval(np.asarray(joules, dtype=float) / made) if np.all(made > 0) else None


@dataclass(frozen=True)
class Change:
    """Relative change of a mean: `share` of the mean before, and its interval `low` to `high`.

    low, high: `None` when neither group has two values: nothing tells how they spread.
    """

    share: float
    low: float | None
    high: float | None

    @property
    def half_width(self) -> float | None:
        """Half of the interval."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2


def relative_change(
    before: Sequence[float],
    after: Sequence[float],
    confidence: float = CONFIDENCE,
    *,
    equal_spread: bool = False,
) -> Change | None:
    """Change of the mean from one group of values to another; `None` when a group is empty.

    Welch's t; with `equal_spread`, Student's t with the spread pooled over both groups. When one group has a
    single value, the spread of the other group is taken for both.
    """
    if not before or not after:
        return None
    mean = float(np.mean(before))
    share = float(np.mean(after)) / mean - 1
    if max(len(before), len(after)) < 2:
        return Change(share, None, None)
    pooled = equal_spread or min(len(before), len(after)) == 1
    low, high = _difference(before, after, confidence, pooled)
    return Change(share, low / mean, high / mean)


def _difference(
    before: Sequence[float], after: Sequence[float], confidence: float, pooled: bool
) -> tuple[float, float]:
    """Interval of the difference of the means."""
    from scipy import stats

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # equal values: an interval of width 0
        test = stats.ttest_ind(after, before, equal_var=pooled)
        interval = test.confidence_interval(confidence)
    return float(interval.low), float(interval.high)
