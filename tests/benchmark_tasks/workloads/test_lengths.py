"""Lengths spread evenly: each is a draw from its distribution, and few of them have its mix already."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark_tasks.catalog import LengthDistribution
from benchmark_tasks.workloads.lengths import evenly, lattice, length_at, quantiles

CHAT = LengthDistribution(
    median_tokens=350, sigma=1.1, minimum_tokens=8, maximum_tokens=4096, source="like lm-arena-chat"
)
SEEDS = st.integers(0, 2**31)


def unevenness(shares: np.ndarray) -> float:
    """The largest difference of their distribution from the uniform one (Kolmogorov)."""
    count = len(shares)
    steps = np.arange(count) / count
    ordered = np.sort(shares)
    return float(max(np.max(ordered - steps), np.max(steps + 1 / count - ordered)))


@given(seed=SEEDS, begin=st.integers(0, 1_000_000), count=st.integers(20, 300))
def test_any_run_of_requests_has_the_mix_of_all(seed: int, begin: int, count: int) -> None:
    points = np.array([evenly(seed, begin + i) for i in range(count)])
    assert np.all((points >= 0) & (points < 1))
    assert max(unevenness(shares) for shares in points.T) <= 5 / count


def test_free_draws_do_not() -> None:
    free = [unevenness(np.random.default_rng(seed).random(300)) for seed in range(20)]
    assert min(free) > 5 / 300


@given(seed=SEEDS)
def test_prompts_and_answers_have_nothing_to_do_with_each_other(seed: int) -> None:
    points = np.array([evenly(seed, i) for i in range(1_000)])
    quarters = np.histogram2d(points[:, 0], points[:, 1], bins=4, range=[(0.0, 1.0), (0.0, 1.0)])[0]
    assert quarters.min() > 50 and quarters.max() < 75, "62.5 in each of sixteen fields"


@given(index=st.integers(0, 1_000_000))
def test_seeds_begin_elsewhere_and_a_seed_always_at_the_same(index: int) -> None:
    assert evenly(1, index) == evenly(1, index) != evenly(2, index)


@given(share=st.floats(0, 1, exclude_max=True))
def test_lengths_stay_within_their_limits(share: float) -> None:
    assert CHAT.minimum_tokens <= length_at(CHAT, share) <= CHAT.maximum_tokens


def test_lengths_are_those_of_the_distribution() -> None:
    drawn = np.random.default_rng(0).lognormal(np.log(CHAT.median_tokens), CHAT.sigma, 400_000)
    drawn = np.clip(drawn, CHAT.minimum_tokens, CHAT.maximum_tokens)
    made = quantiles(CHAT, 4_000)
    assert made.mean() == pytest.approx(drawn.mean(), rel=0.01)
    assert np.quantile(made, [0.1, 0.5, 0.9]) == pytest.approx(np.quantile(drawn, [0.1, 0.5, 0.9]), rel=0.02)


@given(seed=SEEDS, count=st.integers(1, 600))
def test_a_lattice_fills_the_square(seed: int, count: int) -> None:
    shares, others = lattice(seed, count).T
    assert len(shares) == count and unevenness(shares) <= 1 / count + 1e-9
    assert unevenness(others) <= min(1.0, 5 / count)
