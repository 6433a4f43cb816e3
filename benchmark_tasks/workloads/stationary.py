"""How a load looks that has been running for ever: the state in which measuring begins.

Answer lengths have heavy tails. At any instant the answers in flight are not a sample of all
answers: a long one is in flight for longer, so it is met in proportion to its length, at an age
that is uniform over it. (Renewal theory: the stationary excess distribution.) A load that starts
with fresh answers instead holds far too little context at first, and approaches this state only
as the longest answers of a whole turnover come to their end: on an H200 at batch size 256, energy
per token rose from 0.048 to 0.060 J over the first 80 s, and was still rising.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmark_tasks.catalog import LengthDistribution

POOL = 65_536
"""Lengths drawn to know a distribution's shape; its mean is then known to 1 % and better."""


@dataclass(frozen=True)
class UnderWay:
    """An answer of `length` tokens of which `written` are there when the load begins."""

    length: int
    written: int

    @property
    def left(self) -> int:
        """Tokens still to come, at least one."""
        return self.length - self.written


def draw_lengths(lengths: LengthDistribution, rng: np.random.Generator, count: int) -> np.ndarray:
    """`count` lengths, tokens, drawn from a catalog distribution."""
    values = rng.lognormal(np.log(lengths.median_tokens), lengths.sigma, count)
    return np.clip(np.rint(values), lengths.minimum_tokens, lengths.maximum_tokens).astype(np.int64)


def stationary_state(lengths: LengthDistribution, slots: int, seed: int) -> tuple[UnderWay, ...]:
    """The answers that `slots` slots are in the middle of; one entry a slot.

    Drawn evenly rather than freely, so that few slots resemble the distribution, too: one slot from
    each of `slots` equal parts of all tokens, at an age from each of `slots` equal parts of [0, 1).
    """
    rng = np.random.default_rng(seed)
    pool = np.sort(draw_lengths(lengths, rng, POOL))
    tokens = np.cumsum(pool)
    length = pool[np.searchsorted(tokens, _evenly(rng, slots) * tokens[-1])]
    written = np.floor(_evenly(rng, slots) * length).astype(np.int64)
    return tuple(UnderWay(int(one), int(age)) for one, age in zip(length, written, strict=True))


def _evenly(rng: np.random.Generator, count: int) -> np.ndarray:
    """Numbers in [0, 1), one from each of `count` equal parts, in random order."""
    return (rng.permutation(count) + rng.random(count)) / count
