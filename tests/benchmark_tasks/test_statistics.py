"""Intervals against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark_tasks.statistics import Change, relative_change, relative_interval


def test_interval_of_three_values_by_hand() -> None:
    # mean 10, standard deviation 1, standard error 1/sqrt(3), t(0.975, 2) = 4.30265
    assert relative_interval(np.array([9.0, 10.0, 11.0])) == pytest.approx(4.30265 / 3**0.5 / 10, rel=1e-5)
    assert relative_interval(np.array([9.0, 10.0])) is None


def test_the_interval_is_welchs() -> None:
    # Means 10 and 11; variances 1 and 16/3, 3 and 4 values: error sqrt(1/3 + 4/3), 4.3 degrees of freedom.
    change = relative_change([9, 10, 11], [9, 9, 13, 13])
    assert change is not None and change.low is not None and change.high is not None
    assert (change.low + change.high) / 2 == pytest.approx(0.1) == change.share
    assert change.half_width == pytest.approx(0.3502, abs=2e-3)


def test_a_single_value_takes_the_spread_of_the_other_group() -> None:
    # variance 1 over 3 values and 1: error sqrt(1/3 + 1), 2 degrees of freedom, t(0.975, 2) = 4.30265
    change = relative_change([9, 10, 11], [11])
    assert change is not None and change.half_width == pytest.approx(4.30265 * (4 / 3) ** 0.5 / 10, rel=1e-5)


def test_with_equal_spread_the_interval_is_students() -> None:
    # Variances 1 and 16/3 pooled: (2 * 1 + 16) / 5 = 3.6, 5 degrees of freedom, t(0.975, 5) = 2.57058.
    change = relative_change([9, 10, 11], [9, 9, 13, 13], equal_spread=True)
    expected = 2.57058 * (3.6 * (1 / 3 + 1 / 4)) ** 0.5 / 10
    assert change is not None and change.half_width == pytest.approx(expected, rel=1e-5)


def test_one_value_each_has_no_interval_and_an_empty_group_no_change() -> None:
    assert relative_change([10], [11]) == Change(pytest.approx(0.1), None, None)  # type: ignore[arg-type]
    assert relative_change([], [11]) is None


def test_equal_values_have_an_interval_without_width() -> None:
    assert relative_change([1, 1], [2, 2]) == Change(1.0, 1.0, 1.0)
