"""The model of energy prices, and its fit: weighted non-negative least squares (`scipy.optimize.nnls`).

The energy of a window is a sum over what the server did in it (docs/adr/0014-energy-prices.md):

    joules = prefill x prompt tokens + pair x pairs of prompt tokens + context x tokens of context read
             + step(b) x decode steps + idle watts x idle seconds

A decode step gives each of the b answers in flight one token. What it costs is a free value at each measured
batch size, and is interpolated between them. Seconds are fitted in the same way. Residuals are relative, so
that each load counts the same, however long it took.

SciPy is imported where it is used: that takes most of a second, and not every refresh needs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from expectations.prices.works import Works

REPLICATES = 400
"""Fits behind each interval."""

_SEED = 22
_LEVELS = (0.025, 0.975)


class NotTold(ValueError):
    """The loads do not tell the prices apart."""


@dataclass(frozen=True)
class Measured:
    """Windows: their work, their joules and seconds.

    relative_errors: standard deviation of the joules as a share, from the parts of the window. 0: not known.
    """

    works: Works
    joules: np.ndarray
    seconds: np.ndarray
    relative_errors: np.ndarray


@dataclass(frozen=True)
class Price:
    """Joules with their 95 % interval, and the seconds of the same work."""

    joules: float
    low_joules: float
    high_joules: float
    seconds: float


@dataclass(frozen=True)
class Fit:
    """Prices in joules, and the seconds that the same work takes.

    nodes: batch sizes at which a decode step is priced, rising.
    joules, seconds: of a prompt token, a pair of prompt tokens, a token of context, and of a decode step at
    each of the nodes, in this order.
    draws: the joules of each replicate of the bootstrap; empty where they are not kept.
    """

    nodes: tuple[float, ...]
    joules: tuple[float, ...]
    seconds: tuple[float, ...]
    draws: tuple[tuple[float, ...], ...] = ()

    @property
    def pair_ratios(self) -> np.ndarray:
        """A pair's joules over those of a prompt token: of the fit, and of each replicate."""
        told = np.array([self.joules, *self.draws])
        return np.asarray(np.divide(told[:, 1], told[:, 0], out=np.zeros(len(told)), where=told[:, 0] > 0))

    @property
    def pair_seconds_ratio(self) -> float:
        """The same of seconds."""
        return self.seconds[1] / self.seconds[0] if self.seconds[0] > 0 else 0.0

    def priced(self, *parts: float) -> Price:
        """What so much of each term costs and how long it takes, the terms in their order."""
        return self.priced_each([parts])[0]

    def priced_each(self, parts: Sequence[Sequence[float]]) -> list[Price]:
        """The same of several sums, each with so much of each term."""
        each = np.array(parts, dtype=float)
        joules, seconds = each @ self.joules, each @ self.seconds
        low, high = np.quantile(np.array(self.draws) @ each.T, _LEVELS, axis=0)
        columns = joules, np.minimum(low, joules), np.maximum(high, joules), seconds
        return [Price(*map(float, values)) for values in zip(*columns, strict=True)]

    def joules_of(self, works: Works, idle_watts: float = 0.0) -> np.ndarray:
        """What the work of each window costs by these prices."""
        return _features(works, self.nodes) @ self.joules + idle_watts * works.idle_seconds


def fit(measured: Measured, nodes: Sequence[float], pair_from: Fit | None = None) -> Fit:
    """Prices fitted to windows, with intervals.

    pair_from: another fit, whose ratio of a pair to a prompt token is taken over. Loads with prompts of one
    length do not tell it; it is a ratio of the model's own arithmetic, which GPUs of one model share, though
    one of them needs more energy for all of it.

    Intervals are of a bootstrap over the windows: each replicate weighs them by a Dirichlet draw (Rubin
    1981, so that no load ever is left out) and moves the joules of each by its own error.

    Raises:
        NotTold: fewer loads than prices, or loads in which two prices always go together.
    """
    nodes = tuple(sorted(map(float, nodes)))
    joules, windows = measured.joules, len(measured.works)
    prices = 3 + len(nodes) - (pair_from is not None)
    if len(nodes) < 2 or windows < prices or not (joules > 0).all():
        raise NotTold(f"{windows} windows do not tell {prices} prices")
    table = _features(measured.works, nodes)
    if not np.isfinite(table).all():
        raise NotTold("the work of a window is not known")
    told = table if pair_from is None else _together(table, pair_from.pair_ratios[0])
    scale = told.max(axis=0)
    if (scale == 0).any() or np.linalg.matrix_rank(told / joules[:, None] / (scale / joules.mean())) < prices:
        raise NotTold("in these loads, two prices always go together")
    even = np.ones(windows)
    ratios = [None] * (REPLICATES + 1) if pair_from is None else list(pair_from.pair_ratios)
    seconds_ratio = None if pair_from is None else pair_from.pair_seconds_ratio
    drawn = np.random.default_rng(_SEED)
    replicates = [
        _solve(
            table,
            joules * (1 + measured.relative_errors * drawn.standard_normal(windows)),
            windows * drawn.dirichlet(even),
            ratio,
        )
        for ratio in ratios[1:]
    ]
    return Fit(
        nodes,
        tuple(map(float, _solve(table, joules, even, ratios[0]))),
        tuple(map(float, _solve(table, measured.seconds, even, seconds_ratio))),
        tuple(tuple(map(float, draw)) for draw in replicates),
    )


def _features(works: Works, nodes: Sequence[float]) -> np.ndarray:
    """A row for each window: its prefill tokens, pairs, context tokens and the decode steps of each node."""
    steps = works.steps[:, None] * shares(works.in_flight, nodes)
    return np.column_stack(
        [
            works.prefill_tokens,
            works.prefill_pairs,
            works.added(works.context_tokens),
            *map(works.added, steps.T),
        ]
    )


def shares(batch: float | np.ndarray, nodes: Sequence[float]) -> np.ndarray:
    """The share of each node in the price of a step: linear between two, the nearest beyond."""
    numbers = np.arange(len(nodes))
    places = np.interp(batch, nodes, numbers)
    weights: np.ndarray = np.clip(1 - np.abs(numbers - np.asarray(places)[..., None]), 0, None)
    return weights


def _together(table: np.ndarray, ratio: float) -> np.ndarray:
    """Prompt tokens and their pairs as one column."""
    return np.column_stack([table[:, 0] + ratio * table[:, 1], table[:, 2:]])


def _solve(
    table: np.ndarray, values: np.ndarray, weights: np.ndarray, pair_ratio: float | None = None
) -> np.ndarray:
    """pair_ratio: of a pair to a prompt token, where it is known."""
    from scipy.optimize import nnls

    if pair_ratio is not None:
        found = _solve(_together(table, pair_ratio), values, weights)
        return np.concatenate([found[:1], pair_ratio * found[:1], found[1:]])
    scale, roots = table.max(axis=0) / values.mean(), np.sqrt(weights)
    found, _ = nnls(table * (roots / values)[:, None] / scale, roots)
    return np.asarray(found / scale)
