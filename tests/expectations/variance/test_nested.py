"""The nested analysis of variance, beside a textbook's figures and scatter that is known."""

from __future__ import annotations

import math
from itertools import count

import numpy as np
import pytest

from expectations.variance import Observation, components

LEVELS = ("gpu", "server", "run")


def design(shape: dict[str, dict[str, list[float]]], group: str = "row") -> list[Observation]:
    """Observations of one group: values by GPU and server."""
    number = count()
    return [
        Observation(value, (group, gpu, server, f"{group}-{gpu}-{server}-{next(number)}"))
        for gpu, servers in shape.items()
        for server, values in servers.items()
        for value in values
    ]


def test_a_balanced_design_by_hand() -> None:
    """Two GPUs with two servers of two runs: mean squares 2 (run), 16 (server), 800 (GPU).

    Components 2, (16 - 2) / 2 and (800 - 16) / 4.
    """
    found = components(design({"a": {"s": [0, 2], "t": [4, 6]}, "b": {"u": [20, 22], "v": [24, 26]}}), LEVELS)
    assert [found[level].variance for level in LEVELS] == pytest.approx([196, 7, 2])
    assert [found[level].degrees for level in LEVELS] == [1, 2, 4]
    assert [found[level].groups for level in LEVELS] == [2, 4, 8]
    assert all(seen.low <= seen.variance <= seen.high for seen in found.values())


def test_a_mean_square_alone_has_its_chi_squared_interval() -> None:
    """Four runs on one server, variance 1, 3 degrees of freedom: 3 / 9.348404 and 3 / 0.2157953."""
    found = components(design({"a": {"s": [-(1.5**0.5), 1.5**0.5, 0, 0]}}), LEVELS)
    assert set(found) == {"run"}
    assert found["run"].low == pytest.approx(3 / 9.348404, rel=1e-6)
    assert found["run"].high == pytest.approx(3 / 0.2157953, rel=1e-6)


def test_what_was_never_measured_twice_has_no_component() -> None:
    assert components(design({"a": {"s": [1]}}), LEVELS) == {}
    assert components([], LEVELS) == {}


def test_without_levels_there_is_no_component() -> None:
    assert components([Observation(1.0, ("group",))], []) == {}


def test_a_level_that_varied_with_another_is_said_to_be_in_it() -> None:
    found = components(design({"a": {"s": [1]}, "b": {"t": [2]}}), LEVELS)
    assert set(found) == {"gpu"}
    assert found["gpu"].includes == ("server", "run")
    assert found["gpu"].variance == pytest.approx(0.5)


def test_groups_may_differ_by_any_factor() -> None:
    far = [*design({"a": {"s": [1, 2]}}), *design({"a": {"s": [101, 102]}}, group="other")]
    assert components(far, LEVELS)["run"].variance == pytest.approx(0.5)


def test_equal_values_have_no_variance_at_all() -> None:
    """0.1 has no exact mean of three: the sum of three is above 0.3."""
    found = components(design({"a": {"s": [0.1] * 3}, "b": {"t": [0.1] * 3}}), LEVELS)
    assert [found[level].variance for level in found] == [0, 0]


def test_gpus_are_one_set_where_groups_connect_them() -> None:
    """Three rows in a chain: a with b, b with c, c with d; and e with f apart. Six GPUs, two sets."""
    pairs = [("a", "b"), ("b", "c"), ("c", "d"), ("e", "f"), ("b", "a")]
    rows = [
        seen
        for row, (one, other) in enumerate(pairs)
        for seen in design({one: {f"s{row}": [0]}, other: {f"t{row}": [1]}}, group=f"row-{row}")
    ]
    assert components(rows, LEVELS)["gpu"].degrees == 4


def test_a_gpu_in_two_groups_is_one_gpu() -> None:
    """Two GPUs under ten rows: ten differences, but one degree of freedom."""
    rows = [
        seen for row in range(10) for seen in design({"a": {"s": [0]}, "b": {"t": [1]}}, group=f"row-{row}")
    ]
    assert components(rows, LEVELS)["gpu"].degrees == 1
    others = [
        seen
        for row in range(10)
        for seen in design({f"a{row}": {"s": [0]}, f"b{row}": {"t": [1]}}, group=f"row-{row}")
    ]
    assert components(others, LEVELS)["gpu"].degrees == 10


def test_known_scatter_is_within_the_intervals_as_often_as_they_say() -> None:
    """An unbalanced design like ours: the truth is in 95 % of 500 intervals, give or take 3 errors."""
    random = np.random.default_rng(7)
    truth = {"gpu": 1.5, "server": 0.4, "run": 0.3}
    shape = [(2, (1, 2, 1)), (3, (2, 1)), (4, (1, 1, 3)), (2, (2, 2)), (3, (1,))]
    held = dict.fromkeys(truth, 0)
    means = dict.fromkeys(truth, 0.0)
    trials = 500
    for _ in range(trials):
        seen = []
        for row, (gpus, servers) in enumerate(shape):
            for gpu in range(gpus):
                of_gpu = random.normal(0, truth["gpu"])
                for server, runs in enumerate(servers):
                    of_server = random.normal(0, truth["server"])
                    seen += [
                        Observation(
                            of_gpu + of_server + random.normal(0, truth["run"]),
                            (f"r{row}", f"r{row}g{gpu}", f"{gpu}s{server}", f"{server}n{run}"),
                        )
                        for run in range(runs)
                    ]
        found = components(seen, LEVELS)
        for level, deviation in truth.items():
            held[level] += found[level].low <= deviation**2 <= found[level].high
            means[level] += found[level].variance / trials
    for level, deviation in truth.items():
        assert held[level] / trials == pytest.approx(0.95, abs=3 * math.sqrt(0.95 * 0.05 / trials)), level
        assert means[level] == pytest.approx(deviation**2, rel=0.12), level
