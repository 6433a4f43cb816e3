"""Laws of steps, pixels and frames: terms come back as put in, nothing is said that points do not tell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from expectations.laws import Law, NotTold, Point, Range, encloses, fit, fitted, left_out
from tests.expectations.laws import known
from tests.expectations.laws.known import CORNERS, GRID, VIDEOS, table


def terms(rows: pa.Table, law: Law) -> dict[str, dict[str, Any]]:
    return {row["term"]: row for row in rows.to_pylist() if row["law"] == law}


@pytest.mark.parametrize("points", [GRID, CORNERS], ids=["grid", "corners"])
def test_exponents_of_images_come_back(points: tuple[Point, ...]) -> None:
    found = terms(fitted(table(points, known.power)), Law.POWER)
    assert found["scale"]["value"] == pytest.approx(known.SCALE)
    assert found["steps_exponent"]["value"] == pytest.approx(known.STEPS_EXPONENT)
    assert found["pixels_exponent"]["value"] == pytest.approx(known.PIXELS_EXPONENT)
    assert "frames_exponent" not in found, "frames did not vary: no exponent, and no default"
    row = found["scale"]
    assert (row["points"], row["runs"], row["terms"]) == (len(points), len(points), 3)
    assert (row["fewest_steps"], row["most_steps"]) == (10, 50)
    assert (row["fewest_pixels"], row["most_pixels"]) == (512**2, 1536**2)


@pytest.mark.parametrize("points", [GRID, CORNERS], ids=["grid", "corners"])
def test_a_fixed_part_comes_back(points: tuple[Point, ...]) -> None:
    found = terms(fitted(table(points, known.fixed_power)), Law.FIXED_POWER)
    assert found["fixed"]["value"] == pytest.approx(known.FIXED, rel=1e-4)
    assert found["steps_exponent"]["value"] == pytest.approx(known.STEPS_EXPONENT, rel=1e-5)
    assert found["pixels_exponent"]["value"] == pytest.approx(known.PIXELS_EXPONENT, rel=1e-5)


def test_exponents_of_videos_come_back() -> None:
    found = terms(fitted(table(VIDEOS, known.fixed_power)), Law.FIXED_POWER)
    assert found["frames_exponent"]["value"] == pytest.approx(known.FRAMES_EXPONENT, rel=1e-4)
    assert found["steps_exponent"]["value"] == pytest.approx(known.STEPS_EXPONENT, rel=1e-4)


def test_the_terms_of_the_work_come_back() -> None:
    for points in (GRID, VIDEOS):
        found = terms(fitted(table(points, known.work)), Law.WORK)
        assert {term: row["value"] for term, row in found.items()} == pytest.approx(
            {
                "fixed": known.FIXED,
                "decoded": known.DECODED,
                "step": known.STEP,
                "step_linear": known.LINEAR,
                "step_quadratic": known.QUADRATIC,
            },
            rel=1e-4,
        )


def test_left_out_points_tell_the_right_law_from_the_wrong_ones() -> None:
    """By hand: attention makes the exponent of pixels rise, which no power follows."""
    rows = left_out(table(GRID, known.work))
    errors = {law: errors_of(rows, law, known.work) for law in Law}
    assert max(errors[Law.WORK]) < 1e-9 and max(errors[Law.POWER]) > 0.2
    assert max(errors[Law.FIXED_POWER]) > 0.02


def errors_of(rows: pa.Table, law: Law, joules: Any) -> list[float]:
    return [
        abs(row["predicted_joules"] / joules(GRID[int(row["point_id"][-2:])]) - 1)
        for row in rows.to_pylist()
        if row["law"] == law
    ]


def test_a_left_out_point_is_predicted_without_it() -> None:
    """One point takes twice as much: the fit without it says half of it, that of all says more."""
    odd = GRID[5]
    rows = left_out(table(GRID, lambda point: known.power(point) * (2 if point == odd else 1)))
    (row,) = (row for row in rows.to_pylist() if row["law"] == Law.POWER and row["point_id"][-2:] == "05")
    assert row["predicted_joules"] == pytest.approx(known.power(odd))
    assert row["fitted_joules"] > 1.02 * known.power(odd)


def test_the_interval_of_an_exponent_holds_the_truth_as_often_as_it_says() -> None:
    """300 grids with 2 % of noise: 95 % +/- 3 standard errors of a share."""
    generator = np.random.default_rng(7)
    tables = [
        table(GRID, lambda point: known.power(point) * generator.lognormal(0, 0.02), family=f"f{number:03}")
        for number in range(300)
    ]
    rows = [
        row
        for row in fitted(pa.concat_tables(tables), [Law.POWER]).to_pylist()
        if row["term"] == "pixels_exponent"
    ]
    held = sum(row["value_low"] <= known.PIXELS_EXPONENT <= row["value_high"] for row in rows)
    assert len(rows) == 300 and 0.91 <= held / 300 <= 0.99


def test_a_residual_that_bends_is_told() -> None:
    """Everything at 1536 takes 10 % more than the power."""
    most = max(point.pixels for point in GRID)
    bent = terms(fitted(table(GRID, lambda p: known.power(p) * (1.1 if p.pixels == most else 1))), Law.POWER)[
        "scale"
    ]
    straight = terms(fitted(table(GRID, known.power)), Law.POWER)["scale"]
    assert bent["largest_mean_residual"] > 0.01 and bent["largest_residual"] > 0.01
    assert straight["largest_mean_residual"] < 1e-9


def test_too_few_points_have_no_law() -> None:
    """Six points: five without one, which tell four terms and not five."""
    assert {row["law"] for row in fitted(table(CORNERS, known.power)).to_pylist()} == {"power", "fixed_power"}
    assert fitted(table(CORNERS[:4], known.power)).num_rows == 0
    assert left_out(table(CORNERS[:4], known.power)).num_rows == 0
    assert fitted(table((), known.power)).num_rows == 0


def test_a_knob_that_varies_at_one_point_only_has_no_law() -> None:
    """Without that point nothing is known of the knob, so its exponent was never tried."""
    points = (*VIDEOS[:8], VIDEOS[8])
    assert fitted(table(points, known.power)).num_rows == 0


def test_points_of_two_gpus_are_not_mixed() -> None:
    """GPU-2 takes 8 % more and was measured at fewer points."""
    rows = fitted(
        pa.concat_tables(
            [
                table(GRID[:9], lambda point: 1.08 * known.power(point), gpu="GPU-2"),
                table(GRID, known.power),
            ]
        )
    )
    found = terms(rows, Law.POWER)["scale"]
    assert (found["gpu_uuids"], found["value"]) == ("GPU-1", pytest.approx(known.SCALE))
    assert "GPU-2" not in found["run_ids"]


def test_a_corner_that_the_others_do_not_reach_is_no_proof() -> None:
    points = (*GRID, Point(80, 1024 * 1024))
    outside = {
        row["point_id"][-2:]
        for row in left_out(table(points, known.power)).to_pylist()
        if not row["is_within_others"]
    }
    assert outside == {"16"}


def test_the_range_is_each_knob_by_itself() -> None:
    reach = Range.of(CORNERS)
    assert Point(15, 800 * 800) in reach
    assert Point(9, 800 * 800) not in reach and Point(15, 1600 * 1600) not in reach
    assert Point(15, 800 * 800, 2) not in reach


@pytest.mark.parametrize(
    ("steps", "side", "enclosed"),
    [
        (50, 512, True),
        (50, 640, True),
        (20, 1536, True),
        (14, 1280, True),
        (28, 768, True),
        (20, 768, True),
        (10, 768, False),
        (20, 512, False),
        (10, 512, False),
        (49, 512, False),
    ],
)
def test_points_enclose_what_lies_between_them_and_no_corner(steps: int, side: int, enclosed: bool) -> None:
    """As PixArt-Sigma was measured on an H200: small pictures in 50 steps only."""
    measured = [(20, 1024), (50, 1536), (50, 512), (10, 1536), (50, 1024), (10, 1024), (20, 1536), (50, 768)]
    points = [Point(steps, side * side) for steps, side in measured]
    assert Point(steps, side * side) in Range.of(points)
    assert encloses(points, Point(steps, side * side)) is enclosed


def test_points_of_videos_enclose_frames_too() -> None:
    assert all(encloses(VIDEOS, point) for point in VIDEOS)
    without = [point for point in VIDEOS if point.frames < 81]
    assert not encloses(without, next(point for point in VIDEOS if point.frames == 81))


def test_a_fit_says_why_it_is_not_there() -> None:
    with pytest.raises(NotTold, match="3 points do not tell 3 terms"):
        fit(Law.POWER, GRID[2:5], [1.0, 2.0, 3.0])
