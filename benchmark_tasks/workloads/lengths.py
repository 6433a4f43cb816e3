"""Lengths of prompts and answers, spread evenly: a short load has the mix of lengths of a long one.

Lengths have heavy tails: a thousand freely drawn answers miss their mean by 4 %, and energy per token depends
on the context that the server has to read. So request i takes point i of a sequence that fills the unit
interval evenly (multiples of an irrational number modulo 1: Weyl 1916), shifted at random by the seed
(Cranley and Patterson 1976), through the inverse of the distribution. Each request by itself is distributed
as if drawn freely, so means do not change; only the scatter is smaller. The effect is measured by `python -m
benchmarks.lengths`.
"""

from __future__ import annotations

import functools
import math
from statistics import NormalDist
from typing import Final

import numpy as np

from benchmark_tasks.catalog import LengthDistribution

LENGTHS_RECIPE: Final = 3
"""Version of this method: 2 began in the stationary state, 3 spreads lengths evenly. Part of the id."""

_GOLDEN = (math.sqrt(5) - 1) / 2
_SILVER = math.sqrt(2) - 1
"""Two numbers that are hard to approximate by fractions, so that sequences of lengths do not repeat."""

_STANDARD_NORMAL = NormalDist()
_SMALLEST_SHARE = 1e-9


def evenly(seed: int, index: int) -> tuple[float, float]:
    """Shares for the prompt and the answer of request `index`, in [0, 1); the answer's is the most even."""
    prompt, answer = _shift(seed)
    return (prompt + index * _SILVER) % 1.0, (answer + index * _GOLDEN) % 1.0


def lattice(seed: int, count: int) -> np.ndarray:
    """`count` points that fill the unit square evenly, shape (count, 2): a Fibonacci lattice."""
    indices = np.arange(count)
    first, second = _shift(seed)
    return np.column_stack([(indices + first) / count, (second + indices * _GOLDEN) % 1.0])


@functools.lru_cache(maxsize=16)
def _shift(seed: int) -> tuple[float, float]:
    first, second = np.random.default_rng(seed).random(2)
    return float(first), float(second)


def length_at(lengths: LengthDistribution, share: float) -> int:
    """The length, tokens, that a `share` of all lengths does not exceed; share in [0, 1)."""
    share = min(max(share, _SMALLEST_SHARE), 1 - _SMALLEST_SHARE)
    tokens = lengths.median_tokens * math.exp(lengths.sigma * _STANDARD_NORMAL.inv_cdf(share))
    return int(min(max(round(tokens), lengths.minimum_tokens), lengths.maximum_tokens))


def request_lengths(
    prompts: LengthDistribution, answers: LengthDistribution, seed: int, index: int
) -> tuple[int, int]:
    """Lengths of the prompt and the answer of request `index`, tokens."""
    prompt, answer = evenly(seed, index)
    return length_at(prompts, prompt), length_at(answers, answer)


def answer_limit(answers: LengthDistribution | None, maximum: int, seed: int, index: int) -> int:
    """Most tokens of the answer of request `index`: its length, or `maximum` if it ends by itself."""
    return maximum if answers is None else length_at(answers, evenly(seed, index)[1])


@functools.lru_cache(maxsize=4)
def quantiles(lengths: LengthDistribution, count: int) -> np.ndarray:
    """`count` lengths, tokens, in rising order, each as likely as the others."""
    return np.array([length_at(lengths, (i + 0.5) / count) for i in range(count)])
