"""A copy shares what no two measurements share; measurements that are only alike share nothing."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from benchmark_tasks.meters.meter import Timeline
from expectations.gate import copies
from expectations.gate.copies import marks_of_power, marks_of_requests


def power(seed: int, unit: float = 0.001) -> np.ndarray:
    """Ten minutes of one GPU at 500 W, rounded to a unit in watts."""
    watts = 500 + np.random.default_rng(seed).normal(scale=5, size=6000)
    return np.round(watts / unit) * unit


def timeline(watts: np.ndarray) -> Timeline:
    count = len(watts)
    series = np.array(["power_watts"] * count, dtype=object)
    return Timeline(series, np.zeros(count, dtype=int), np.arange(count) / 10, watts)


def times(seed: int) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).exponential(0.1, size=500)).round(9)


def originals(marks: dict[str, tuple[int, ...]]) -> dict[str, str]:
    lists = pa.array([list(own) for own in marks.values()], pa.list_(pa.int64()))
    return copies.originals(list(marks), pa.chunked_array([lists]))


def marks(watts: np.ndarray) -> tuple[int, ...]:
    return marks_of_power(timeline(watts), 600.0)


@pytest.mark.parametrize(
    "copied",
    [
        lambda watts: watts,
        lambda watts: watts * 1.37,
        lambda watts: watts + 12.5,
        lambda watts: watts[1000:],
        lambda watts: np.r_[watts[:3000], power(9)[:3000]],
    ],
    ids=["as it is", "scaled", "shifted", "cut", "half of it"],
)
def test_copied_power_is_seen(copied: object) -> None:
    assert callable(copied)
    assert originals({"first": marks(power(1)), "second": marks(copied(power(1)))}) == {"second": "first"}


@pytest.mark.parametrize("unit", [0.001, 1.0, 5.0])
def test_power_that_is_only_alike_is_no_copy_even_in_whole_watts(unit: float) -> None:
    assert originals({str(seed): marks(power(seed, unit)) for seed in range(20)}) == {}


def test_copied_request_times_are_seen_at_another_speed_and_moment() -> None:
    runs = {"first": times(1), "other": times(2), "copy": times(1) * 0.93 + 17.0}
    found = originals({name: marks_of_requests(at) for name, at in runs.items()})
    assert found == {"copy": "first"}


def test_runs_without_requests_or_power_are_no_copies() -> None:
    assert originals({"first": (), "second": ()}) == {}
    assert marks_of_requests(np.array([1.0])) == ()
    assert marks(np.full(100, 500.0)) == ()
