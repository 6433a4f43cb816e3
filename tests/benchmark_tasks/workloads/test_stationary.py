"""A load that begins in its stationary state stays there; one that begins afresh does not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark_tasks.catalog import LengthDistribution
from benchmark_tasks.workloads.stationary import UnderWay, draw_lengths, stationary_state

CHAT = LengthDistribution(
    median_tokens=350, sigma=1.1, minimum_tokens=8, maximum_tokens=4096, source="like lm-arena-chat"
)


def held_context(begin: list[UnderWay], steps: list[int], seed: int) -> list[float]:
    """Mean tokens written by the answers in flight, at some steps of a loop of one token a step."""
    rng = np.random.default_rng(seed)
    fresh = iter(draw_lengths(CHAT, rng, 2_000_000).tolist())
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
    begin = list(stationary_state(CHAT, slots, seed=3))
    now, *later = held_context(begin, [0, 300, 1500, 3000], seed=4)
    assert later == pytest.approx([now] * 3, rel=0.15)
    lengths = draw_lengths(CHAT, np.random.default_rng(5), slots).tolist()
    afresh = held_context([UnderWay(one, 0) for one in lengths], [0, 300, 1500, 3000], seed=4)
    assert afresh[0] == 0 and afresh[1] < 0.4 * now, "without it, the first minute holds far too little"
    assert afresh[-1] == pytest.approx(now, rel=0.15)


def test_long_answers_are_met_in_proportion_to_their_length() -> None:
    drawn = draw_lengths(CHAT, np.random.default_rng(0), 200_000).astype(float)
    begin = stationary_state(CHAT, 512, seed=1)
    assert np.mean([one.length for one in begin]) == pytest.approx((drawn**2).mean() / drawn.mean(), rel=0.02)
    assert np.mean([one.written / one.length for one in begin]) == pytest.approx(0.5, abs=0.01)


@given(slots=st.integers(1, 600), seed=st.integers(0, 2**31))
def test_every_slot_has_something_left_and_few_slots_are_spread_too(slots: int, seed: int) -> None:
    begin = stationary_state(CHAT, slots, seed)
    assert len(begin) == slots and all(one.left >= 1 and one.written >= 0 for one in begin)
    assert all(CHAT.minimum_tokens <= one.length <= CHAT.maximum_tokens for one in begin)
    parts = sorted(int(one.written / one.length * slots) for one in begin)
    assert np.abs(np.array(parts) - np.arange(slots)).max() <= max(1, slots / CHAT.minimum_tokens)
