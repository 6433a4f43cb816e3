"""The stationary state of a load, as if it had been running for long: the state in which measuring begins.

Answer lengths have heavy tails. At any instant the answers in flight are not a sample of all
answers: a long answer is in flight for longer, so its probability is proportional to its length, and its
age is uniform. (Renewal theory: the stationary excess distribution.) A load that starts
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
"""Number of quantiles that represent a distribution."""

_OWN_POINTS = 2_000_003
"""Separates the random points of this state from those of the requests after it."""


@dataclass(frozen=True)
class UnderWay:
    """An answer of `length` tokens, of which `written` exist when the load begins."""

    length: int
    written: int

    @property
    def left(self) -> int:
        """Tokens still to come, at least one."""
        return self.length - self.written


def stationary_state(lengths: LengthDistribution, slots: int, seed: int) -> tuple[UnderWay, ...]:
    """The answers in flight when the load begins, one per slot.

    They are spread evenly over length and age instead of drawn freely, so that also a few slots resemble
    the distribution.
    """
    pool = quantiles(lengths, POOL)
    total = np.cumsum(pool)
    shares, ages = lattice(seed + _OWN_POINTS, slots).T
    length = pool[np.searchsorted(total, shares * total[-1], side="right")]
    written = np.floor(ages * length).astype(np.int64)
    return tuple(UnderWay(int(tokens), int(age)) for tokens, age in zip(length, written, strict=True))
