"""Nested analysis of variance: how much each level of a hierarchy adds to the scatter of what was measured.

Unbalanced designs, by the method of moments: the mean squares of all levels are set to their expectations
(Searle, Casella and McCulloch, *Variance Components*, 1992). Intervals are the modified large-sample ones of
Ting, Burdick, Graybill, Jeyaratnam and Lu, *Journal of Statistical Computation and Simulation* 35 (1990).

SciPy is imported where it is used: that takes most of a second, and not every refresh needs it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
    if not levels:
        return {}
    seen = _Nested(observations, len(levels) + 1)
    told = [depth for depth in range(1, len(levels) + 1) if seen.count(depth) > seen.count(depth - 1)]
    if not told:
        return {}
    depths = [0, *told]
    degrees = np.array([seen.count(lower) - seen.count(upper) for upper, lower in pairwise(depths)])
    squares = np.array([seen.squares(upper, lower) for upper, lower in pairwise(depths)]) / degrees
    found = np.linalg.inv(_expected(seen, depths, degrees))
    independent = [
        min(int(counted), seen.independent(upper, lower))
        for counted, (upper, lower) in zip(degrees, pairwise(depths), strict=True)
    ]
    return {
        levels[depth - 1]: Component(
            max(0.0, float(found[place] @ squares)),
            *_interval(found[place], squares, independent),
            independent[place],
            seen.count(depth),
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


class _Nested:
    """Observations as arrays: in which unit of each depth each of them lies. Depth 0 are the groups."""

    def __init__(self, observations: Sequence[Observation], depths: int) -> None:
        labels = [_numbered(seen.path[depth] for seen in observations) for depth in range(depths)]
        self._apart = [labels[0], *_joined(labels[1:])]
        self._units = _joined(labels)
        self._sizes = [np.bincount(units) for units in self._units]
        self._values = np.array([observation.value for observation in observations], float)

    def count(self, depth: int) -> int:
        """How many units a depth has."""
        return len(self._sizes[depth])

    @cached_property
    def _differences(self) -> NDArray[np.float64]:
        """Of the values from one of their group, so that equal values are exactly equal to their mean."""
        groups = self._units[0]
        return np.asarray(self._values - _of_units(groups, self._values)[groups])

    def _means(self, depth: int) -> NDArray[np.float64]:
        sums = np.bincount(self._units[depth], weights=self._differences)
        return np.asarray(sums / self._sizes[depth])

    def squares(self, upper: int, lower: int) -> float:
        """The sum over the observations of their lower unit's squared difference from their upper one."""
        holders = _of_units(self._units[lower], self._units[upper])
        apart = self._means(lower) - self._means(upper)[holders]
        return float(self._sizes[lower] @ apart**2)

    def shared(self, units: int, holders: int) -> float:
        """The sum over the units of a depth of their squared size, as a share of their holder's size."""
        of_holders = self._sizes[holders][_of_units(self._units[units], self._units[holders])]
        return float((self._sizes[units] ** 2 / of_holders).sum())

    def independent(self, upper: int, lower: int) -> int:
        """Units of a depth less units that hold them. A GPU that was measured in two groups is one GPU.

        Units are connected where one holder has both in one group; each connected set gives up one degree.
        Only units of several holders connect holders.
        """
        units, holders = self._apart[lower], self._units[upper]
        width = self.count(upper)
        of_pairs, holders_of_pairs = np.divmod(np.unique(units * width + holders), width)
        again = np.flatnonzero(of_pairs[1:] == of_pairs[:-1])
        pairs = zip(holders_of_pairs[again].tolist(), holders_of_pairs[again + 1].tolist(), strict=True)
        return int(units.max()) + 1 - (width - _connections(pairs))


def _numbered(labels: Iterable[Any]) -> NDArray[np.int64]:
    """A number for each different label, from 0 in the order of the labels."""
    numbers: dict[Any, int] = {}
    return np.array([numbers.setdefault(label, len(numbers)) for label in labels], np.int64)


def _joined(labels: Sequence[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
    """For each depth, the number of the path down to it."""
    joined = [labels[0]]
    for below in labels[1:]:
        width = int(below.max(initial=0)) + 1
        _, numbers = np.unique(joined[-1] * width + below, return_inverse=True)
        joined.append(numbers)
    return joined


def _of_units(units: NDArray[np.int64], values: NDArray[Any]) -> NDArray[Any]:
    """The value of each unit, which all of its observations share, or else that of one of them."""
    of_units = np.zeros(int(units.max(initial=-1)) + 1, values.dtype)
    of_units[units] = values
    return of_units


def _connections(pairs: Iterable[tuple[int, int]]) -> int:
    """How many of the pairs connect two sets that no earlier pair has connected."""
    above: dict[int, int] = {}

    def root(place: int) -> int:
        while place in above:
            place = above[place]
        return place

    connected = 0
    for one, other in pairs:
        first, second = root(one), root(other)
        if first != second:
            above[second] = first
            connected += 1
    return connected


def _expected(seen: _Nested, depths: Sequence[int], degrees: NDArray[np.int64]) -> NDArray[np.float64]:
    """Coefficients of the components in the expectation of each mean square."""
    count = len(degrees)
    matrix = np.zeros((count, count))
    for level, component in product(range(count), repeat=2):
        if component >= level:
            units, inner, outer = depths[component + 1], depths[level + 1], depths[level]
            shared = seen.shared(units, inner) - seen.shared(units, outer)
            matrix[level, component] = shared / degrees[level]
    return matrix


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


def _chi_squared(above: float, degrees: int) -> float:
    """The value that chi squared is above with this probability."""
    from scipy import special

    return float(special.chdtri(degrees, above))


def _shrinks(degrees: int) -> float:
    """By which share of itself a mean square may be too large."""
    return 1 - degrees / _chi_squared(_TAIL, degrees)


def _grows(degrees: int) -> float:
    """By which share of itself a mean square may be too small."""
    return degrees / _chi_squared(1 - _TAIL, degrees) - 1


def _width(falling: Sequence[tuple[float, int]], rising: Sequence[tuple[float, int]]) -> float:
    """How far a difference of mean squares may be off, where `falling` are smaller and `rising` larger."""
    from scipy import special

    squared = sum((_shrinks(n) * term) ** 2 for term, n in falling)
    squared += sum((_grows(n) * term) ** 2 for term, n in rising)
    for (one, n), (other, m) in product(falling, rising):
        ratio = float(special.fdtri(n, m, 1 - _TAIL))
        squared += ((ratio - 1) ** 2 - (_shrinks(n) * ratio) ** 2 - _grows(m) ** 2) / ratio * one * other
    return float(np.sqrt(max(0.0, squared)))
