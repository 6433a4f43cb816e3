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
from benchmark_tasks.workloads.lengths import lattice, quantiles

POOL = 16_384
"""Quantiles that stand for a distribution."""

_OWN_POINTS = 2_000_003
"""Parts the points of this state from those of the requests that follow it."""


@dataclass(frozen=True)
class UnderWay:
    """An answer of `length` tokens of which `written` are there when the load begins."""

    length: int
    written: int

    @property
    def left(self) -> int:
        """Tokens still to come, at least one."""
        return self.length - self.written


def stationary_state(lengths: LengthDistribution, slots: int, seed: int) -> tuple[UnderWay, ...]:
    """The answers that `slots` slots are in the middle of; one entry a slot.

    Spread evenly over length and age rather than drawn freely, so that few slots resemble the
    distribution, too.
    """
    pool = quantiles(lengths, POOL)
    tokens = np.cumsum(pool)
    shares, ages = lattice(seed + _OWN_POINTS, slots).T
    length = pool[np.searchsorted(tokens, shares * tokens[-1], side="right")]
    written = np.floor(ages * length).astype(np.int64)
    return tuple(UnderWay(int(one), int(age)) for one, age in zip(length, written, strict=True))
