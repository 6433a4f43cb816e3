"""Intervals against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark_tasks.statistics import (
    Change,
    odd_parts,
    outliers,
    relative_change,
    relative_interval,
)


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


ROSNER = """
-0.25 0.68 0.94 1.15 1.20 1.26 1.26 1.34 1.38 1.43 1.49 1.49 1.55 1.56 1.58 1.65 1.69 1.70 1.76 1.77 1.81 1.91
1.94 1.96 1.99 2.06 2.09 2.10 2.14 2.15 2.23 2.24 2.26 2.35 2.37 2.40 2.47 2.54 2.62 2.64 2.90 2.92 2.92 2.93
3.21 3.26 3.30 3.59 3.68 4.30 4.64 5.34 5.42 6.01
"""


def test_outliers_are_those_of_rosners_example() -> None:
    """NIST/SEMATECH e-Handbook, 1.3.5.17.3: three outliers at 5 %, at most ten looked for."""
    values = np.array(ROSNER.split(), dtype=float)
    assert outliers(values, 0.05, at_most=10) == (51, 52, 53)


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ([1, 1, 1, 1, 2, 1, 1, 1], (4,)),
        ([1, 1, 1, 1, 0.5, 1, 1, 1], (4,)),
        ([1, 1.01, 0.99, 2, 1, 1.01, 2, 1, 0.99, 1], (3, 6)),  # each hides the other from a test of one
        ([1, 1, 1.01, 0.5, 0.51, 0.49, 0.5, 0.5, 1, 1.02], (3, 4, 5, 6, 7)),
        ([1, 0.99, 1, 1.01, 1.2, 1.21, 1.19, 1, 1, 1.01, 0.99, 1], (4, 5, 6)),
    ],
)
def test_odd_parts_are_seen_wherever_they_are(values: list[float], parts: tuple[int, ...]) -> None:
    assert parts in [odd.parts for odd in odd_parts(values)]


def test_how_odd_parts_differ_by_hand() -> None:
    (odd,) = odd_parts([1, 1, 1, 1, 2, 1, 1, 1])
    assert (odd.depth, odd.shift) == pytest.approx((1.0, 9 / 8 - 1))


@pytest.mark.parametrize("count", [5, 10, 20])
def test_chance_alone_seldom_makes_odd_parts(count: int) -> None:
    random = np.random.default_rng(7)
    alarms = sum(bool(odd_parts(random.normal(1, 0.02, count))) for _ in range(300))
    assert alarms <= 2  # 300 x FALSE_ALARMS = 0.3 are to be expected


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 9.0], [2.0] * 6])
def test_too_few_or_equal_values_have_no_odd_parts(values: list[float]) -> None:
    assert odd_parts(values) == ()
