"""The figure of the releases: what it draws are the marts' figures, release after release."""

from __future__ import annotations

from typing import Any

import pytest

from expectations.board.addresses import release_page_name
from expectations.board.releases.history import panels_of, specification, svg

FIRST: dict[str, Any] = {
    "series_id": "s",
    "nickname": "Qwen 3 8B",
    "task": "lm-arena-chat",
    "num_gpus": 1,
    "gpu_model": "H200",
    "batch_size": 64,
    "weights": "dummy",
    "runtime_version": "0.20.2",
    "energy_per_output_joules": 0.0974,
    "confirmation": "not rerun",
    "first_runtime_version": None,
    "energy_change": None,
    "energy_change_since_first": None,
    "energy_change_since_first_low": None,
    "energy_change_since_first_high": None,
}
LATER = {
    **FIRST,
    "runtime_version": "0.26.0",
    "energy_per_output_joules": 0.0942,
    "confirmation": "confirmed",
    "first_runtime_version": "0.20.2",
    "energy_change": -0.033,
    "energy_change_since_first": -0.033,
    "energy_change_since_first_low": -0.036,
    "energy_change_since_first_high": -0.03,
}


def test_each_release_is_a_point_against_the_first_one() -> None:
    (panel,) = panels_of([FIRST, LATER], {"lm-arena-chat": "Text Conversation"})
    drawn = panel.points
    assert panel.heading == "Qwen 3 8B, Text Conversation, 1x H200, batch 64, dummy weights"
    assert [(point["release"], point["change"], point["low"]) for point in drawn] == [
        ("0.20.2", 0.0, None),
        ("0.26.0", pytest.approx(-3.3), pytest.approx(-3.6)),
    ]
    assert drawn[1]["high"] == pytest.approx(-3.0)
    assert [(point["shape"], point["label"]) for point in drawn] == [("circle", ""), ("diamond", "-3.3 %")]


def test_a_contested_change_is_not_drawn_as_confirmed() -> None:
    (panel,) = panels_of([FIRST, {**LATER, "confirmation": "contested"}], {})
    _, point = panel.points
    assert (point["shape"], point["label"]) == ("circle", "contested")


def test_a_release_without_energy_is_no_point_and_one_point_is_no_history() -> None:
    unmeasured = {**LATER, "energy_per_output_joules": None, "energy_change_since_first": None}
    assert panels_of([FIRST, unmeasured], {}) == []
    assert svg([FIRST, unmeasured], {}) is None


def test_a_release_on_other_gpus_than_the_first_has_its_place_and_no_point() -> None:
    between = {**LATER, "runtime_version": "0.24.0", "energy_change_since_first": None}
    failed = {**between, "runtime_version": "0.25.1", "energy_per_output_joules": None}
    (panel,) = panels_of([FIRST, between, failed, LATER], {})
    assert [point["release"] for point in panel.points] == ["0.20.2", "0.26.0"]
    (drawn,) = specification([panel])["concat"]
    places = {tuple(layer["encoding"]["x"]["scale"]["domain"]) for layer in drawn["layer"]}
    assert places == {("0.20.2", "0.24.0", "0.26.0")}
    picture = svg([FIRST, between, failed, LATER], {})
    assert picture is not None and "0.24.0" in picture and "0.25.1" not in picture


def test_all_panels_have_one_axis_that_holds_every_interval() -> None:
    other = [{**FIRST, "series_id": "t"}, {**LATER, "series_id": "t", "energy_change_since_first_high": 0.02}]
    drawn = specification(panels_of([FIRST, LATER, *other], {}))
    domains = {
        tuple(layer["encoding"]["y"]["scale"]["domain"])
        for panel in drawn["concat"]
        for layer in panel["layer"]
    }
    ((low, high),) = domains
    assert low < -3.6
    assert high > 2.0


def test_the_drawing_shows_the_confirmed_change() -> None:
    drawn = svg([FIRST, LATER], {})
    assert drawn is not None
    assert "-3.3 %" in drawn or "\N{MINUS SIGN}3.3 %" in drawn
    assert "0.26.0" in drawn


def test_releases_whose_names_would_be_equal_get_pages_of_their_own() -> None:
    known = [("vllm", "0.26.0+a"), ("vllm", "0.26.0-a")]
    assert release_page_name("vllm", "0.27.0", known) == "vllm-0.27.0.html"
    assert len({release_page_name(*release, known) for release in known}) == 2
