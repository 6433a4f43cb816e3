"""Nested analysis of variance: how much each level of a hierarchy adds to the scatter of what was measured.

Unbalanced designs, by the method of moments: the mean squares of all levels are set to their expectations
(Searle, Casella and McCulloch, *Variance Components*, 1992). Intervals are the modified large-sample ones of
Ting, Burdick, Graybill, Jeyaratnam and Lu, *Journal of Statistical Computation and Simulation* 35 (1990).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from math import fsum

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2
from scipy.stats import f as fisher

CONFIDENCE = 0.95
_TAIL = (1 - CONFIDENCE) / 2


@dataclass(frozen=True)
class Observation:
    """A value and where it was measured.

    value: of the quantity whose scatter is asked for. path: the group of what may be compared, a label per
    level, the highest first; the last is the observation's own. A label means the same thing in every group.
    """

    value: float
    path: tuple[str, ...]


@dataclass(frozen=True)
class Component:
    """What one level adds to the variance.

    variance: with what lies below taken out; 0 where that explains it all. low, high: of its interval.
    degrees: of freedom of the interval: no more than different units (say, GPUs) less those that hold them.
    groups: means that were compared. includes: lower levels that always varied with this one.
    """

    variance: float
    low: float
    high: float
    degrees: int
    groups: int
    includes: tuple[str, ...]


def components(observations: Sequence[Observation], levels: Sequence[str]) -> dict[str, Component]:
    """The component of each level that some unit of the level above has two of; the others are left out.

    levels: names of the labels, the highest first.
    """
    told = [depth for depth in range(1, len(levels) + 1) if _degrees(observations, depth)]
    if not told:
        return {}
    depths = [0, *told]
    sizes = [_sizes(observations, depth) for depth in depths]
    degrees = np.array([len(lower) - len(upper) for upper, lower in pairwise(sizes)])
    squares = _mean_squares(observations, depths, degrees)
    found = np.linalg.inv(_expected(sizes, degrees))
    independent = [
        min(int(counted), _independent(observations, upper, lower))
        for counted, upper, lower in zip(degrees, depths, told, strict=False)
    ]
    return {
        levels[depth - 1]: Component(
            max(0.0, float(found[place] @ squares)),
            *_interval(found[place], squares, independent),
            independent[place],
            len(sizes[place + 1]),
            _included(levels, told, place),
        )
        for place, depth in enumerate(told)
    }


def pooled(variances: Iterable[tuple[float, int]], at_most: int | None = None) -> Component | None:
    """The mean of several variances, each with its degrees of freedom; `None` without any.

    at_most: degrees of freedom of the interval, where fewer units than that were measured.
    """
    known = list(variances)
    if not known:
        return None
    counted = sum(n for _, n in known)
    degrees = counted if at_most is None else min(counted, at_most)
    variance = sum(value * n for value, n in known) / counted
    low, high = _interval(np.ones(1), np.array([variance]), [degrees])
    return Component(variance, low, high, degrees, len(known), ())


def _included(levels: Sequence[str], told: Sequence[int], place: int) -> tuple[str, ...]:
    end = told[place + 1] - 1 if place + 1 < len(told) else len(levels)
    return tuple(levels[told[place] : end])


def _degrees(observations: Sequence[Observation], depth: int) -> int:
    return len(_sizes(observations, depth)) - len(_sizes(observations, depth - 1))


def _sizes(observations: Sequence[Observation], depth: int) -> dict[tuple[str, ...], int]:
    """How many observations each unit of a depth has. Depth 0 are the groups."""
    sizes: dict[tuple[str, ...], int] = defaultdict(int)
    for observation in observations:
        sizes[observation.path[: depth + 1]] += 1
    return sizes


def _independent(observations: Sequence[Observation], upper: int, lower: int) -> int:
    """Units of a depth less units that hold them. A GPU that was measured in two groups is one GPU.

    Units are connected where one holder has both in one group; each connected set gives up one degree.
    """
    sets: dict[tuple[str, ...], tuple[str, ...]] = {}

    def root(unit: tuple[str, ...]) -> tuple[str, ...]:
        while sets.setdefault(unit, unit) != unit:
            unit = sets[unit]
        return unit

    first: dict[tuple[str, ...], tuple[str, ...]] = {}
    for observation in observations:
        unit = observation.path[1 : lower + 1]
        sets[root(unit)] = root(first.setdefault(observation.path[: upper + 1], unit))
    return sum(root(unit) != unit for unit in list(sets))


def _mean_squares(
    observations: Sequence[Observation], depths: Sequence[int], degrees: NDArray[np.int64]
) -> NDArray[np.float64]:
    means = [_means(observations, depth) for depth in depths]
    sums = [
        sum((lower[seen.path[: below + 1]] - upper[seen.path[: above + 1]]) ** 2 for seen in observations)
        for (above, upper), (below, lower) in pairwise(zip(depths, means, strict=True))
    ]
    return np.array(sums) / degrees


def _means(observations: Sequence[Observation], depth: int) -> dict[tuple[str, ...], float]:
    values: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for observation in observations:
        values[observation.path[: depth + 1]].append(observation.value)
    return {unit: fsum(several) / len(several) for unit, several in values.items()}


def _expected(sizes: Sequence[dict[tuple[str, ...], int]], degrees: NDArray[np.int64]) -> NDArray[np.float64]:
    """Coefficients of the components in the expectation of each mean square."""
    count = len(degrees)
    matrix = np.zeros((count, count))
    for level, component in product(range(count), repeat=2):
        if component >= level:
            inner, outer = sizes[level + 1], sizes[level]
            matrix[level, component] = (
                _shared(sizes[component + 1], inner) - _shared(sizes[component + 1], outer)
            ) / degrees[level]
    return matrix


def _shared(units: dict[tuple[str, ...], int], holders: dict[tuple[str, ...], int]) -> float:
    length = len(next(iter(holders)))
    return sum(size**2 / holders[unit[:length]] for unit, size in units.items())


def _interval(
    weights: NDArray[np.float64], squares: NDArray[np.float64], degrees: Sequence[int]
) -> tuple[float, float]:
    """Of a sum of weighted mean squares, some of them negative; never below 0."""
    terms = [
        (weight * square, n) for weight, square, n in zip(weights, squares, degrees, strict=True) if weight
    ]
    added, taken = [t for t in terms if t[0] > 0], [(-term, n) for term, n in terms if term < 0]
    total = sum(term for term, _ in terms)
    below = _width(added, taken)
    above = _width(taken, added)
    return max(0.0, total - below), max(0.0, total + above)


def _shrinks(degrees: int) -> float:
    """By which share of itself a mean square may be too large."""
    return 1 - degrees / float(chi2.isf(_TAIL, degrees))


def _grows(degrees: int) -> float:
    """By which share of itself a mean square may be too small."""
    return degrees / float(chi2.isf(1 - _TAIL, degrees)) - 1


def _width(falling: Sequence[tuple[float, int]], rising: Sequence[tuple[float, int]]) -> float:
    """How far a difference of mean squares may be off, where `falling` are smaller and `rising` larger."""
    squared = sum((_shrinks(n) * term) ** 2 for term, n in falling)
    squared += sum((_grows(n) * term) ** 2 for term, n in rising)
    for (one, n), (other, m) in product(falling, rising):
        ratio = float(fisher.isf(_TAIL, n, m))
        squared += ((ratio - 1) ** 2 - (_shrinks(n) * ratio) ** 2 - _grows(m) ** 2) / ratio * one * other
    return float(np.sqrt(max(0.0, squared)))
