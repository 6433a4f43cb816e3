"""Sizes of the sources of variance, from runs that tell them and from runs that do not."""

from __future__ import annotations

import datetime
import math
from typing import Any

import pyarrow as pa
import pytest

from expectations.variance import Source, estimated

RUN: dict[str, Any] = {
    "run_id": "r",
    "leaderboard_id": "row",
    "data_source": "jouleboard",
    "architecture": "llm",
    "gpu_model": "H200",
    "model_id": "m",
    "weights": "dummy",
    "any_weights_id": "any",
    "energy_per_output_joules": 1.0,
    "share_of_power_limit": 0.8,
    "host": "vm",
    "gpu_uuids": "a",
    "measured_on": datetime.date(2026, 11, 28),
    "server_start_id": "s",
    "temperature_max_celsius": 60.0,
    "instrument_difference": 0.01,
    "within_run_error": 0.005,
    "within_run_degrees": 9,
}


def sizes(*changes: dict[str, Any]) -> dict[str, dict[str, Any]]:
    runs = [{**RUN, "run_id": f"r{number}", **change} for number, change in enumerate(changes)]
    return {row["source"]: row for row in estimated(pa.Table.from_pylist(runs)).to_pylist()}


def test_one_run_tells_of_its_window_and_instruments_only() -> None:
    found = sizes({})
    assert set(found) == {source.value for source in Source}
    assert {name for name, row in found.items() if row["relative_size"] is not None} == {
        "window",
        "instrument",
    }
    assert found["window"]["relative_size"] == pytest.approx(0.005)
    assert (found["window"]["degrees_of_freedom"], found["instrument"]["degrees_of_freedom"]) == (9, 1)
    for name in set(found) - {"window", "instrument"}:
        assert (found[name]["degrees_of_freedom"], found[name]["compared"]) == (0, 0)


@pytest.mark.parametrize(
    ("source", "change"),
    [
        ("run", {}),
        ("server", {"server_start_id": "t"}),
        ("day", {"server_start_id": "t", "measured_on": datetime.date(2026, 11, 29)}),
        ("gpu", {"server_start_id": "t", "gpu_uuids": "b"}),
        ("host", {"server_start_id": "t", "gpu_uuids": "b", "host": "other"}),
    ],
)
def test_two_runs_tell_the_highest_level_in_which_they_differ(source: str, change: dict[str, Any]) -> None:
    """2 % apart: a standard deviation of 1.4 %."""
    found = sizes({}, {**change, "energy_per_output_joules": 1.02})
    assert found[source]["relative_size"] == pytest.approx(math.log(1.02) / math.sqrt(2))
    order = ["host", "gpu", "day", "server", "run"]
    lower = order[order.index(source) + 1 :]
    assert [found[name]["included_in"] for name in lower] == [source] * len(lower)
    assert all(found[name]["relative_size"] is None for name in order if name != source)


def test_runs_of_different_rows_tell_nothing_of_each_other() -> None:
    found = sizes({}, {"leaderboard_id": "other", "energy_per_output_joules": 2.0})
    assert found["run"]["relative_size"] is None


def test_heat_is_told_by_runs_that_lie_ten_degrees_apart() -> None:
    warm = {"energy_per_output_joules": 1.04}
    assert sizes({}, {**warm, "temperature_max_celsius": 69.9})["heat"]["relative_size"] is None
    found = sizes({}, {**warm, "temperature_max_celsius": 70.0})["heat"]
    assert found["relative_size"] == pytest.approx(math.log(1.04) / math.sqrt(2))
    other_gpu = sizes({}, {**warm, "temperature_max_celsius": 70.0, "gpu_uuids": "b", "server_start_id": "t"})
    assert other_gpu["heat"]["relative_size"] is None
    assert sizes({}, {**warm, "temperature_max_celsius": None})["heat"]["relative_size"] is None


def test_weights_are_told_beside_real_ones_only() -> None:
    stand_in = {"leaderboard_id": "stand-in", "weights": "stand-in.1", "energy_per_output_joules": 1.1}
    assert sizes({}, stand_in)["weights"]["relative_size"] is None
    found = sizes({"weights": "real"}, stand_in)["weights"]
    assert (found["relative_size"], found["degrees_of_freedom"]) == (pytest.approx(math.log(1.1)), 1)
    assert sizes({"weights": "real"}, {**stand_in, "any_weights_id": "x"})["weights"]["relative_size"] is None


def test_runs_that_do_not_name_gpu_or_server_are_left_out() -> None:
    found = sizes({}, {"gpu_uuids": None}, {"server_start_id": None}, {"within_run_error": None})
    assert (found["run"]["compared"], found["window"]["compared"]) == (2, 3)


@pytest.mark.parametrize(("share", "tells"), [(0.26, False), (0.34, True), (None, True)])
def test_a_gpu_that_waits_for_its_host_tells_nothing_of_servers(share: float | None, tells: bool) -> None:
    found = sizes(
        {"share_of_power_limit": share},
        {"share_of_power_limit": share, "server_start_id": "t", "energy_per_output_joules": 1.2},
        {"leaderboard_id": "busy"},
    )
    assert (found["server"]["relative_size"] is not None) is tells
    assert found["window"]["compared"] == (3 if tells else 1)


def test_gpu_models_and_kinds_stand_apart() -> None:
    rows = estimated(
        pa.Table.from_pylist([RUN, {**RUN, "gpu_model": "H100"}, {**RUN, "architecture": "diffusion"}])
    ).to_pylist()
    assert len({(row["gpu_model"], row["architecture"]) for row in rows}) == 3


def test_no_runs_have_no_components() -> None:
    assert estimated(pa.Table.from_pylist([RUN]).slice(0, 0)).num_rows == 0
