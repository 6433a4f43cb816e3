"""The work of many windows, as arrays."""

from __future__ import annotations

import numpy as np
import pytest

from expectations.prices.work import Decoding, Work
from expectations.prices.works import Works

ALONE = [
    Work(10, 50),
    Work(20, 200, (Decoding(1, 30, 300), Decoding(4, 80, 1_600)), 2.0),
    Work(30, 450, (Decoding(2, 10, 50),), 3.0),
]


def test_each_window_has_the_figures_that_it_has_alone() -> None:
    several = Works.of(ALONE)
    assert several.mean_in_flight.tolist() == [pytest.approx(work.mean_in_flight) for work in ALONE]
    assert several.mean_context.tolist() == [pytest.approx(work.mean_context) for work in ALONE]
    assert several.added(several.steps).tolist() == [pytest.approx(work.decode_steps) for work in ALONE]
    assert several.mean_in_flight.tolist() == [0, pytest.approx(110 / 50), 2]
    assert several.mean_context.tolist() == [0, pytest.approx(1_900 / 110), 5]


def test_works_are_chosen_with_what_was_decoded_in_them() -> None:
    several = Works.of(ALONE)
    for chosen in (several.between(1, 3), several.at(np.array([1, 2]))):
        assert chosen.prefill_tokens.tolist() == [20, 30] and chosen.idle_seconds.tolist() == [2, 3]
        assert chosen.added(chosen.tokens).tolist() == [110, 10]
    assert several.at(np.array([0, 2])).mean_in_flight.tolist() == [0, 2]
