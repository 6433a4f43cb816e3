"""The figure over steps, frames and pixels: points as measured, the law as far as it says something."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from itertools import pairwise
from math import log
from typing import Any

import pytest

from expectations.board.operations.surface_curves import (
    Surface,
    counts,
    in_words,
    specification,
    surfaces,
    svg,
)
from expectations.laws import Fit, Law, Point, PublishedLaw, Range, Term, best_laws
from tests.expectations.laws import known

FAMILY: dict[str, Any] = {
    "family_id": "f" * 32,
    "nickname": "PixArt-Sigma",
    "task": "text-to-image",
    "gpu_model": "H200",
    "num_gpus": 1,
    "batch_size": 1,
    "runtime": "xdit",
    "runtime_version": "0.7.0",
    "weight_precision": "bfloat16",
    "weights": "real",
    "power_limit_watts": None,
    "output_unit": "image",
}
POWER = {
    Term.SCALE: known.SCALE,
    Term.STEPS_EXPONENT: known.STEPS_EXPONENT,
    Term.PIXELS_EXPONENT: known.PIXELS_EXPONENT,
}
WORK = {
    Term.FIXED: known.FIXED,
    Term.DECODED: known.DECODED,
    Term.STEP: 0.0,
    Term.STEP_LINEAR: known.LINEAR,
    Term.STEP_QUADRATIC: known.QUADRATIC,
}
UNTRIED: dict[str, Any] = {
    "law": None,
    "fitted_gpu_uuids": None,
    "tested_points": None,
    "largest_error": None,
}
SIDES = {399_360: (480, 832), 921_600: (720, 1280)} | {
    side * side: (side, side) for side in (*known.SIDES, 2048)
}


def rows(points: Iterable[Point], joules: Callable[[Point], float], **changes: Any) -> list[dict[str, Any]]:
    """Rows of `surface_points.sql`: each point 1 % above its law when it was left out."""
    return [
        {
            **FAMILY,
            "inference_steps": point.steps,
            "height": SIDES[point.pixels][0],
            "width": SIDES[point.pixels][1],
            "pixels": point.pixels,
            "num_frames": None if point.frames == 1 else point.frames,
            "gpu_uuids": "GPU-1",
            "energy_per_output_joules": joules(point),
            "energy_per_output_low_joules": None,
            "energy_per_output_high_joules": None,
            "predicted_joules": 1.01 * joules(point),
            "is_within_others": True,
            **changes,
        }
        for point in points
    ]


def published(law: Law, terms: dict[Term, float], points: Iterable[Point], **changes: Any) -> PublishedLaw:
    """The law as the mart has it, of the range of these points."""
    points = list(points)
    common = {
        **FAMILY,
        "law": law.value,
        "is_best": True,
        "held_out_largest_error": 0.0438,
        "held_out_median_error": 0.0196,
        "tested_points": 16,
        "points": len(points),
        "gpu_uuids": "GPU-1",
        "fitted_points": [asdict(point) for point in points],
        **Range.of(points).columns,
        **changes,
    }
    terms_of = [
        {
            **common,
            "term": term.value,
            "term_value": value,
            "term_low": value - 0.02,
            "term_high": value + 0.02,
        }
        for term, value in reversed(terms.items())
    ]
    (found,) = best_laws(
        [*terms_of, {**terms_of[0], "is_best": False, "law": "power", "term": "fixed"}]
    ).values()
    return found


IMAGE_LAW = published(Law.POWER, POWER, known.GRID)
IMAGES = Surface(tuple(rows(known.GRID, known.power)), IMAGE_LAW, UNTRIED)
VIDEOS = Surface(
    tuple(rows(known.VIDEOS, known.work, output_unit="video")),
    published(Law.WORK, WORK, known.VIDEOS),
    UNTRIED,
)


def panels(surface: Surface) -> dict[str, list[dict[str, Any]]]:
    """Layers by their panel's title."""
    return {panel["title"]["text"]: panel["layer"] for panel in specification(surface)["concat"]}


def values(layers: Iterable[dict[str, Any]], mark: str) -> list[dict[str, Any]]:
    return [value for layer in layers if layer["mark"]["type"] == mark for value in layer["data"]["values"]]


def kinds(surface: Surface) -> list[tuple[str, float, float]]:
    """Kind, place and value of every point of the first panel."""
    layers = next(iter(panels(surface).values()))
    return [(value["kind"], value["place"], value["value"]) for value in values(layers, "point")]


def test_a_published_law_is_the_fit_that_made_it() -> None:
    assert IMAGE_LAW.fit == Fit(Law.POWER, POWER)
    assert IMAGE_LAW.reach == Range.of(known.GRID)
    assert [row["term"] for row in IMAGE_LAW.terms] == ["scale", "steps_exponent", "pixels_exponent"]


def test_the_line_is_the_law_and_ends_where_the_points_end() -> None:
    over = panels(IMAGES)
    assert list(over) == ["Over steps", "Over megapixels"]
    line = [value for value in values(over["Over steps"], "line") if value["line"] == "768x768"]
    assert [value["place"] for value in (line[0], line[-1])] == [10, 50]
    assert [value["value"] for value in line] == pytest.approx(
        [known.power(Point(value["place"], 768 * 768)) for value in line]
    )
    across = [value for value in values(over["Over megapixels"], "line") if value["line"] == "20 steps"]
    assert (across[0]["place"], across[-1]["place"]) == (0.262144, 2.359296)


def test_the_line_ends_where_points_enclose_nothing() -> None:
    """Small pictures were measured in 50 steps only."""
    few = [Point(steps, side * side) for steps, side in ((10, 1024), (10, 1536), (50, 1536), (50, 512))]
    law = published(Law.POWER, POWER, few)
    between = Point(20, 768 * 768)
    shown = panels(Surface(tuple(rows([*few, between], known.power)), law, UNTRIED))["Over steps"]
    drawn: dict[str, list[float]] = {}
    for value in values(shown, "line"):
        drawn.setdefault(value["line"], []).append(value["place"])
    assert {line: (min(places), max(places)) for line, places in drawn.items()} == {
        "512x512": (50, 50),
        "768x768": (20, 50),
        "1024x1024": (10, 50),
        "1536x1536": (10, 50),
    }


def test_the_line_of_a_video_has_whole_latent_frames() -> None:
    """Between them the work would be drawn as stairs."""
    line = values(panels(VIDEOS)["Over frames"], "line")
    assert {value["place"] for value in line} == set(range(17, 82, 4))


def test_the_knob_with_the_most_values_has_all_points_and_others_those_with_a_neighbour() -> None:
    over = panels(VIDEOS)
    assert list(over) == ["Over frames", "Over steps", "Over megapixels"]
    measured = {
        title: [value for value in values(layers, "point") if value["kind"] != "said"]
        for title, layers in over.items()
    }
    assert {title: len(points) for title, points in measured.items()} == {
        "Over frames": 10, "Over steps": 4, "Over megapixels": 8,
    }  # fmt: skip
    names = {value["name"] for value in values(over["Over frames"], "text")}
    assert names == {f"{size}, {steps} steps" for size in ("832x480", "1280x720") for steps in (10, 20)}


def test_a_point_left_out_has_what_the_law_said_without_it_beside_it() -> None:
    point, beyond, other = (Point(steps, 512 * 512) for steps in (20, 10, 28))
    surface = Surface(
        (
            *rows([beyond], known.power, is_within_others=False),
            *rows([point], known.power),
            *rows([other], known.power, gpu_uuids="GPU-2", predicted_joules=None, is_within_others=None),
        ),
        IMAGE_LAW,
        UNTRIED,
    )
    assert sorted(kinds(surface)) == [
        ("measured", 10, known.power(beyond)),
        ("other GPU", 28, known.power(other)),
        ("said", 20, pytest.approx(1.01 * known.power(point))),
        ("tested", 20, known.power(point)),
    ]
    assert [counts(surface, row) for row in surface.points] == [
        "no: beyond the others", "yes", "no: another GPU",
    ]  # fmt: skip


def test_an_interval_is_drawn_only_where_it_is_known() -> None:
    known_of = rows(
        known.GRID[:1], known.power, energy_per_output_low_joules=1.0, energy_per_output_high_joules=9.0
    )
    surface = Surface((*known_of, *rows(known.GRID[1:4], known.power)), IMAGE_LAW, UNTRIED)
    (rule,) = values(panels(surface)["Over steps"], "rule")
    assert (rule["place"], rule["low"], rule["high"]) == (10, 1.0, 9.0)


def test_an_interval_below_zero_ends_at_the_end_of_the_axis() -> None:
    """Of two runs it is 12.7 times as wide as they differ."""
    wide = rows(
        known.GRID[:1], known.power, energy_per_output_low_joules=-5.0, energy_per_output_high_joules=60.0
    )
    surface = Surface((*wide, *rows(known.GRID[1:], known.power)), IMAGE_LAW, UNTRIED)
    (panel, *_) = specification(surface)["concat"]
    (rule,) = values(panel["layer"], "rule")
    assert rule["low"] == panel["layer"][0]["encoding"]["y"]["scale"]["domain"][0] > 0


def test_names_of_lines_do_not_cover_each_other() -> None:
    near = [Point(steps, side * side) for side in known.SIDES for steps in (49, 50)]
    surface = Surface(tuple(rows(near, lambda point: 100 + point.pixels / 1e6)), None, UNTRIED)
    (panel, *_) = specification(surface)["concat"]
    low, high = panel["layer"][0]["encoding"]["y"]["scale"]["domain"]
    names = values(panel["layer"], "text")
    heights = sorted(panel["height"] * log(name["value"] / low, high / low) for name in names)
    assert len(names) == 4 and min(above - below for below, above in pairwise(heights)) > 13


def test_words_say_exponents_errors_and_range() -> None:
    first, second = in_words(IMAGES)
    assert first == (
        "The law is a model fitted to 16 measured points of one GPU: the energy of one image rises with"
        " its steps to the power 0.90 (95 % interval 0.88 to 0.92; twice as many take 1.87 times as much)"
        " and its pixels to the power 1.20 (95 % interval 1.18 to 1.22; twice as many take 2.30 times as"
        " much)."
    )
    assert second == (
        "Asked for each of 16 points after it was fitted without it, it misses by at most 4.4 %, and half"
        " of these by at most 2.0 %. It says nothing beyond 10 to 50 steps and 0.262 to 2.36 megapixels, or"
        " where its points do not enclose what is asked for."
    )


def test_words_say_what_the_work_is_made_of() -> None:
    first, second = in_words(VIDEOS)
    assert first.endswith(
        ": one video takes 40.0 J in any case and 15.0 J per megapixel of its frames, and in each step"
        " 8.00 J per megapixel of its latent frames and 4.00 J per squared megapixel of them."
    )
    assert "beyond 10 to 20 steps, 0.399 to 0.922 megapixels and 17 to 81 frames, or where" in second


@pytest.mark.parametrize(
    ("nearest", "said"),
    [
        (UNTRIED, "No law: these points are too few, or too much alike, to tell the terms of one apart."),
        (
            {"law": "work", "tested_points": 16, "largest_error": 0.366},
            "No law: the nearest (the sum of the work) misses one of 16 points that it was fitted without by"
            " 36.6 %, and at most 10 % are allowed.",
        ),
        (
            {"law": "power", "tested_points": 3, "largest_error": 0.01},
            "No law: only 3 points are within the others and could be left out; 4 must be.",
        ),
        (
            {"law": "power", "tested_points": 0, "largest_error": None},
            "No law: only 0 points are within the others and could be left out; 4 must be.",
        ),
    ],
)
def test_without_a_law_points_are_drawn_and_the_reason_is_said(nearest: Any, said: str) -> None:
    points = rows(known.GRID, known.power, predicted_joules=None, is_within_others=None)
    (surface,) = surfaces(points, {}, [{"family_id": FAMILY["family_id"], **UNTRIED, **nearest}])
    assert in_words(surface) == [said]
    assert {kind for kind, _, _ in kinds(surface)} == {"measured"} and len(kinds(surface)) == 16
    joined = values(panels(surface)["Over steps"], "line")
    assert {value["value"] for value in joined} == {known.power(point) for point in known.GRID}
    assert {counts(surface, row) for row in points} == {"no law"}


def test_without_a_law_the_gpu_of_the_nearest_is_told_from_the_others() -> None:
    unproven = {"predicted_joules": None, "is_within_others": None}
    own, other = (
        rows([Point(steps, 512 * 512)], known.power, gpu_uuids=gpu, **unproven)
        for steps, gpu in ((10, "GPU-1"), (20, "GPU-2"))
    )
    nearest = {**UNTRIED, "law": "power", "fitted_gpu_uuids": "GPU-2", "tested_points": 3}
    drawn = {place: kind for kind, place, _ in kinds(Surface((*own, *other), None, nearest))}
    assert drawn == {10: "other GPU", 20: "measured"}
    drawn = {place: kind for kind, place, _ in kinds(Surface((*own, *other), None, UNTRIED))}
    assert drawn == {10: "measured", 20: "measured"}


def test_it_is_drawn_wide_and_for_a_narrow_screen() -> None:
    for surface in (IMAGES, VIDEOS):
        widths = [
            float(svg(surface, narrow=narrow).split('viewBox="0 0 ')[1].split()[0])
            for narrow in (False, True)
        ]
        assert widths[1] <= 312 < widths[0], "a telephone of 360 pixels has 312 for it"


def test_a_line_beyond_the_law_has_its_points_and_its_name() -> None:
    """Another GPU was measured at a size that the law's own was not."""
    far = Point(20, 2048 * 2048)
    beyond = rows([far], known.power, gpu_uuids="GPU-2", predicted_joules=None, is_within_others=None)
    shown = panels(Surface((*IMAGES.points, *beyond), IMAGE_LAW, UNTRIED))["Over steps"]
    assert "2048x2048" not in {value["line"] for value in values(shown, "line")}
    (name,) = [value for value in values(shown, "text") if value["name"] == "2048x2048"]
    assert name["place"] == 20 and name["value"] == pytest.approx(known.power(far), rel=0.1)


def test_each_name_stands_at_its_own_line() -> None:
    """One size begins as another one does."""
    sizes = [{"height": 512, "width": 512}, {"height": 5120, "width": 512}]
    curves = [rows(known.GRID[:4], known.power), rows(known.GRID[:4], lambda point: 4 * known.power(point))]
    points = [row | size for size, curve in zip(sizes, curves, strict=True) for row in curve]
    (panel, *_) = specification(Surface(tuple(points), None, UNTRIED))["concat"]
    assert {value["name"]: value["value"] for value in values(panel["layer"], "text")} == pytest.approx(
        {"512x512": known.power(known.GRID[3]), "512x5120": 4 * known.power(known.GRID[3])}
    )


def test_shapes_of_the_same_pixels_are_drawn() -> None:
    """Nothing that a law knows differs."""
    (square,) = rows(known.GRID[:1], known.power)
    surface = Surface((square, {**square, "height": 256, "width": 1024}), None, UNTRIED)
    assert "NaN" not in svg(surface) and list(panels(surface)) == ["Over megapixels"]
