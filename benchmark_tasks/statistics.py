"""How well a mean is known, a change between two means, and parts of a series that differ from the others."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95
FALSE_ALARMS = 1e-3
"""How often a series of independent, normally distributed values is said to have odd parts, at most."""


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

    joules, outputs: of each part. `None` below three parts, or if a part has no output.
    """
    counts = np.asarray(outputs, dtype=float)
    return relative_interval(np.asarray(joules, dtype=float) / counts) if np.all(counts > 0) else None


def ratio_interval(
    joules: Sequence[float] | np.ndarray, outputs: Sequence[float] | np.ndarray
) -> float | None:
    """95 % half-width of total joules over total outputs, as a share of it, from the parts of a window.

    Unlike `energy_interval`, which averages the ratios of parts, it also holds where parts have few outputs
    or none: the linearised variance of a ratio (Cochran, Sampling Techniques, 1977, 6.4). `None` below three
    parts, or without any output.
    """
    from scipy import stats

    spent, counts = np.asarray(joules, dtype=float), np.asarray(outputs, dtype=float)
    if len(counts) < 3 or counts.sum() <= 0 or spent.sum() <= 0:
        return None
    left = spent - spent.sum() / counts.sum() * counts
    error = np.sqrt((left**2).sum() / (len(counts) - 1) / len(counts))
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, len(counts) - 1) * error / spent.mean())


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


@dataclass(frozen=True)
class OddParts:
    """Parts of a series that differ from the others by more than chance.

    parts: their positions, from 0. depth: their mean against the mean of the others, as a share of it.
    shift: what they do to the mean of all, as a share of the mean of the others.
    """

    parts: tuple[int, ...]
    depth: float
    shift: float


def odd_parts(
    values: Sequence[float] | np.ndarray, false_alarms: float = FALSE_ALARMS
) -> tuple[OddParts, ...]:
    """The stretch, and the single values, that differ from the rest by more than chance; often neither.

    Two tests, each with half of `false_alarms`. Of all stretches of up to half of the series, the one that
    differs most from the rest: Student's t with Bonferroni's correction for the number of stretches. Single
    values, up to a fifth: the generalised extreme Studentised deviate test (Rosner 1983; NIST/SEMATECH
    e-Handbook of Statistical Methods, 1.3.5.17.3), which also finds several of them. Below three
    values there are none.
    """
    series = np.asarray(values, dtype=float)
    if len(series) < 3 or np.ptp(series) == 0:
        return ()
    candidates = (_odd_stretch(series, false_alarms / 2), outliers(series, false_alarms / 2))
    return tuple(against_rest(series, parts) for parts in dict.fromkeys(candidates) if parts)


def outliers(values: np.ndarray, false_alarms: float, at_most: int | None = None) -> tuple[int, ...]:
    """Positions of single values that the others do not explain, by Rosner's test; `at_most`: a fifth."""
    from scipy import stats

    left, removed, outlying = np.arange(len(values)), [], 0
    for _ in range(max(1, len(values) // 5) if at_most is None else at_most):
        count, rest = len(left), values[left]
        spread = np.std(rest, ddof=1)
        if count < 3 or spread == 0:
            break
        farthest = int(np.argmax(np.abs(rest - np.mean(rest))))
        deviate = abs(rest[farthest] - np.mean(rest)) / spread
        t = stats.t.ppf(1 - false_alarms / (2 * count), count - 2)
        removed.append(int(left[farthest]))
        left = np.delete(left, farthest)
        if deviate > (count - 1) * t / np.sqrt((count - 2 + t**2) * count):
            outlying = len(removed)
    return tuple(sorted(removed[:outlying]))


def _odd_stretch(values: np.ndarray, false_alarms: float) -> tuple[int, ...]:
    """Positions of the stretch that differs most from the rest; empty if that may be chance."""
    from scipy import stats

    count, places = len(values), np.arange(len(values))
    begin, end = (edges[:, None] for edges in np.triu_indices(count + 1, 1))
    stretches = ((begin <= places) & (places < end))[(end - begin).ravel() <= count // 2]
    with np.errstate(divide="ignore", invalid="ignore"):  # equal values: no spread
        test = stats.ttest_ind_from_stats(*_moments(values, stretches), *_moments(values, ~stretches))
    chance = np.nan_to_num(test.pvalue, nan=1.0)
    best = int(np.argmin(chance))
    if chance[best] * len(chance) >= false_alarms:
        return ()
    return tuple(np.flatnonzero(stretches[best]).tolist())


def _moments(values: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, standard deviation and number of the values that each row of `chosen` chooses."""
    kept = np.ma.masked_array(np.broadcast_to(values, chosen.shape), ~chosen)
    return kept.mean(axis=1).filled(np.nan), kept.std(axis=1, ddof=1).filled(0.0), chosen.sum(axis=1)


def against_rest(values: np.ndarray, parts: tuple[int, ...]) -> OddParts:
    """How parts of a series, by their positions, differ from the rest of it."""
    rest = float(np.mean(np.delete(values, parts)))
    odd, every = float(np.mean(values[list(parts)])), float(np.mean(values))
    return OddParts(parts, odd / rest - 1, every / rest - 1) if rest else OddParts(parts, np.inf, np.inf)
