"""A load that begins in its stationary state stays there; one that begins afresh does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark_tasks.catalog import LengthDistribution
from benchmark_tasks.workloads.lengths import evenly, length_at, quantiles
from benchmark_tasks.workloads.stationary import UnderWay, stationary_state

CHAT = LengthDistribution(
    median_tokens=350, sigma=1.1, minimum_tokens=8, maximum_tokens=4096, source="like lm-arena-chat"
)


def freely(seed: int) -> Iterator[int]:
    rng = np.random.default_rng(seed)
    while True:
        yield length_at(CHAT, rng.random())


def spread(seed: int) -> Iterator[int]:
    for index in count():
        yield length_at(CHAT, evenly(seed, index)[1])


def held_context(begin: Sequence[UnderWay], steps: list[int], fresh: Iterator[int]) -> list[float]:
    """Mean tokens written by the answers in flight, at some steps of a loop of one token per step."""
    written, length = [one.written for one in begin], [one.length for one in begin]
    held = []
    for step in range(max(steps) + 1):
        if step in steps:
            held.append(float(np.mean(written)))
        for slot in range(len(begin)):
            written[slot] += 1
            if written[slot] >= length[slot]:
                written[slot], length[slot] = 0, next(fresh)
    return held


def test_the_context_that_a_server_holds_neither_grows_nor_shrinks() -> None:
    slots = 600
    steps = [0, 300, 1500, 3000]
    now, *later = held_context(stationary_state(CHAT, slots, seed=3), steps, spread(4))
    assert later == pytest.approx([now] * 3, rel=0.05)
    afresh = held_context([UnderWay(next(freely(i)), 0) for i in range(slots)], steps, freely(4))
    assert afresh[0] == 0 and afresh[1] < 0.4 * now, "without it, the first minute holds far too little"
    assert afresh[-1] == pytest.approx(now, rel=0.15)


def test_evenly_spread_answers_hold_it_steadier_than_free_ones() -> None:
    def scatter(fresh: Callable[[int], Iterator[int]]) -> float:
        """Of the mean over a short load, from seed to seed."""
        steps = list(range(0, 4_000, 100))
        loads = [held_context(stationary_state(CHAT, 64, seed), steps, fresh(seed)) for seed in range(12)]
        means = np.mean(loads, axis=1)
        return float(means.std(ddof=1) / means.mean())

    assert scatter(spread) < 0.5 * scatter(freely)


def test_long_answers_are_met_in_proportion_to_their_length() -> None:
    drawn = quantiles(CHAT, 20_000).astype(float)
    begin = stationary_state(CHAT, 512, seed=1)
    assert np.mean([one.length for one in begin]) == pytest.approx((drawn**2).mean() / drawn.mean(), rel=0.02)
    assert np.mean([one.written / one.length for one in begin]) == pytest.approx(0.5, abs=0.01)


@given(slots=st.integers(1, 600), seed=st.integers(0, 2**31))
def test_every_slot_has_something_left_and_few_slots_are_spread_too(slots: int, seed: int) -> None:
    begin = stationary_state(CHAT, slots, seed)
    assert len(begin) == slots and all(one.left >= 1 and one.written >= 0 for one in begin)
    assert all(CHAT.minimum_tokens <= one.length <= CHAT.maximum_tokens for one in begin)
    ages = np.sort([one.written / one.length for one in begin])
    assert np.abs(ages - (np.arange(slots) + 0.5) / slots).max() <= 5 / slots + 1 / CHAT.minimum_tokens
