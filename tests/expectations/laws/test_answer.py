"""`jouleboard price` of images and videos, on measured rows and laws that are known."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from benchmark_tasks.errors import SettingsError
from expectations.cli import app
from expectations.laws import Law, Point, Range, Term, answer
from expectations.laws.answer import KEYS, Setup, setups
from tests.expectations.laws import known

PIXART = "PixArt-alpha/PixArt-Sigma-XL-2-1024-MS"
SETUP: dict[str, Any] = {
    **dict.fromkeys(KEYS),
    "model_id": PIXART,
    "nickname": "PixArt-Σ",
    "task": "text-to-image",
    "weight_precision": "bfloat16",
    "gpu_model": "H200",
    "num_gpus": 1,
    "batch_size": 1,
    "runtime": "xdit",
    "runtime_version": "0.10.0",
    "weights": "real",
    "power_limit_watts": 700.0,
    "output_unit": "image",
}
VIDEO = {"model_id": "Wan-AI/Wan2.1", "nickname": "Wan 2.1", "task": "text-to-video", "output_unit": "video"}
POWER = {
    Term.SCALE: known.SCALE,
    Term.STEPS_EXPONENT: known.STEPS_EXPONENT,
    Term.PIXELS_EXPONENT: known.PIXELS_EXPONENT,
}
WORK = {
    Term.FIXED: known.FIXED,
    Term.DECODED: known.DECODED,
    Term.STEP: known.STEP,
    Term.STEP_LINEAR: known.LINEAR,
    Term.STEP_QUADRATIC: known.QUADRATIC,
}


def measured(joules: float = 183.0, **changes: Any) -> dict[str, Any]:
    """A row of the leaderboard, at 20 steps and 1024 x 1024."""
    return {
        **SETUP,
        "inference_steps": 20,
        "height": 1024,
        "width": 1024,
        "num_frames": None,
        "energy_per_output_joules": joules,
        "energy_per_output_low_joules": joules - 1,
        "energy_per_output_high_joules": joules + 1,
        "energy_repeats": 3,
        "leaderboard_id": "1a2b3c4d5e6f" + "0" * 20,
        **changes,
    }


def law_rows(
    law: Law, terms: dict[Term, float], points: tuple[Point, ...], **changes: Any
) -> list[dict[str, Any]]:
    """Rows of `diffusion_energy_law`."""
    of = {
        **SETUP,
        "family_id": f"family of {sorted(changes.items())}",
        "law": law.value,
        "is_best": True,
        "held_out_largest_error": 0.044,
        "held_out_median_error": 0.02,
        "tested_points": 16,
        "points": len(points),
        "fitted_points": [asdict(point) for point in points],
        "gpu_uuids": "GPU-1",
        **Range.of(points).columns,
        **changes,
    }
    return [of | {"term": term.value, "term_value": value} for term, value in terms.items()]


def nearest(law: str | None, tested: int | None, error: float | None, **changes: Any) -> dict[str, Any]:
    """A row of `nearest.sql`."""
    found = {"law": law, "tested_points": tested, "largest_error": error}
    return {**SETUP, "family_id": "n", **found, **changes}


IMAGES = law_rows(Law.POWER, POWER, known.GRID)
VIDEOS = law_rows(Law.WORK, WORK, known.VIDEOS, **VIDEO)
ROWS = [
    measured(),
    measured(150.0, batch_size=4, leaderboard_id="4444" * 8),
    measured(8.0, **VIDEO, num_frames=33),
]
ALL = setups([*IMAGES, *VIDEOS], ROWS, [])
ASKED = ("--model", PIXART, "--gpu", "H200", "--steps", "25", "--height", "1024", "--width", "1024")


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setattr("expectations.cli._publication", lambda *_: None)
    monkeypatch.setattr(answer, "setups_of", lambda _: ALL)
    return lambda *arguments: CliRunner().invoke(app, ["price", *arguments])


def ask(of: list[Setup], **changes: Any) -> Any:
    asked: dict[str, Any] = {"model": PIXART, "gpu": "H200", "steps": 25, "height": 1024, "width": 1024}
    return answer.answers(of, **(asked | changes))


def test_the_law_answers_with_what_it_is_and_how_far_it_may_be_off(call: Callable[..., Result]) -> None:
    said = call(*ASKED).stdout.splitlines()
    assert said[0] == (
        f"{PIXART} (bfloat16), 1x H200, xdit 0.10.0, real weights, cap 700 W: 25 steps, 1024x1024"
    )
    assert said[1].split("  ")[:2] == ["batch size", "J per image"]
    joules = known.power(Point(25, 1024 * 1024))
    assert said[2].split() == [
        *("1", f"{joules:.1f}", "-", "4.4", "%", "a", "model", "fitted", "to", "measurements"),
        *("16", "points", "of", "one", "GPU"),
    ]
    assert said[3] == (
        "a model fitted to measurements is no measurement; the error is its largest on points that it was"
        " fitted without"
    )
    assert len(said) == 4


def test_a_measured_row_is_answered_as_measured(call: Callable[..., Result]) -> None:
    said = call(*ASKED[:4], "--steps", "20", *ASKED[6:]).stdout.splitlines()
    assert said[2].split() == [
        "1", "183.0", "182.0", "to", "184.0", "-", "measured", "3", "runs,", "row", "1a2b3c4d5e6f",
    ]  # fmt: skip
    assert said[3].split()[:2] == ["4", "150.0"]
    assert said[4] == "`jouleboard explain ROW` says what a measured row rests on"
    assert not any("fitted" in line for line in said)


def test_json_and_csv_say_which_it_is(call: Callable[..., Result]) -> None:
    at = ("--steps", "20", *ASKED[6:])
    records = json.loads(call(*ASKED[:4], *at, "--json").stdout)
    rows = list(csv.DictReader(io.StringIO(call(*ASKED[:4], *at, "--csv").stdout)))
    assert [row["basis"] for row in records] == ["measured", "measured"]
    assert [float(row["joules"]) for row in rows] == [183.0, 150.0]
    assert records[0]["leaderboard_id"].startswith("1a2b3c4d") and records[0]["held_out_error"] is None
    assert (records[0]["low_joules"], records[0]["high_joules"]) == (182.0, 184.0)
    (fitted,) = json.loads(call(*ASKED, "--json").stdout)
    assert fitted["basis"] == "a model fitted to measurements" and fitted["held_out_error"] == 0.044
    assert fitted["joules"] == pytest.approx(known.power(Point(25, 1024 * 1024)))
    assert (fitted["low_joules"], fitted["leaderboard_id"]) == (None, None)
    assert (fitted["inference_steps"], fitted["height"], fitted["width"]) == (25, 1024, 1024)
    assert list(fitted) == list(answer.COLUMNS)


def test_a_video_has_frames() -> None:
    (found,) = ask(ALL, model="wan 2.1", steps=12, height=480, width=832, frames=49).answers
    assert found.joules == pytest.approx(known.work(Point(12, 480 * 832, 49)))
    with pytest.raises(SettingsError, match=r"Wan 2\.1 makes videos: give --frames"):
        ask(ALL, model="Wan 2.1", steps=12, height=480, width=832)
    with pytest.raises(SettingsError, match="PixArt-Σ makes images: leave --frames out"):
        ask(ALL, frames=49)


@pytest.mark.parametrize(
    ("changes", "beyond"),
    [({"steps": 60}, "60 steps"), ({"steps": 5}, "5 steps"), ({"height": 2048, "width": 2048}, "2048x2048")],
)
def test_beyond_the_points_there_is_no_figure(changes: dict[str, Any], beyond: str) -> None:
    with pytest.raises(SettingsError) as raised:
        ask(ALL, **changes)
    said = str(raised.value)
    assert beyond in said and "\n" not in said
    assert "the law says nothing beyond 10 to 50 steps and 0.262 to 2.36 megapixels" in said
    assert "1x H200, xdit 0.10.0" in said


def test_where_no_points_lie_around_there_is_no_figure() -> None:
    """Each knob is within its range, but small pictures were measured in 50 steps only."""
    points = tuple(Point(*each) for each in ((10, 1024**2), (10, 1536**2), (50, 1536**2), (50, 512**2)))
    few = setups(law_rows(Law.POWER, POWER, points), [], [])
    (found,) = ask(few, steps=40, height=768, width=768).answers
    assert found.joules == pytest.approx(known.power(Point(40, 768**2)))
    with pytest.raises(SettingsError, match=r"10 steps, 512x512: .* do not enclose what is asked for"):
        ask(few, steps=10, height=512, width=512)


def test_each_frame_count_is_within_the_range() -> None:
    with pytest.raises(
        SettingsError, match=r"10 to 20 steps, 0\.399 to 0\.922 megapixels and 17 to 81 frames"
    ):
        ask(ALL, model="Wan 2.1", steps=12, height=480, width=832, frames=97)


@pytest.mark.parametrize(
    ("miss", "said"),
    [
        (nearest("work", 16, 0.366), "misses one of 16 points that it was fitted without by 36.6 %"),
        (nearest("power", 3, 0.01), "only 3 points are within the others"),
        (nearest(None, None, None), "too few, or too much alike"),
    ],
)
def test_a_law_that_was_not_proven_answers_nothing_but_what_was_measured(miss: Any, said: str) -> None:
    of = setups([], [measured()], [miss])
    with pytest.raises(SettingsError, match=said) as raised:
        ask(of)
    assert "25 steps, 1024x1024" in str(raised.value) and "\n" not in str(raised.value)
    (found,) = ask(of, steps=20).answers
    assert (found.joules, found.basis) == (183.0, "measured")


def test_what_was_never_varied_says_what_was_measured_and_how_to_measure_more() -> None:
    with pytest.raises(SettingsError) as raised:
        ask(setups([], [measured(), measured(batch_size=4)], []))
    said = str(raised.value)
    assert "25 steps, 1024x1024 is not measured, and there is no law" in said
    assert "measured: 20 steps, 1024x1024" in said
    assert f"jouleboard measure --model {PIXART} --steps 25 --height 1024 --width 1024" in said


@pytest.mark.parametrize(
    ("of", "changes", "said"),
    [
        ([], {}, "this publication has no measured images or videos"),
        (ALL, {"gpu": "B200"}, f"no images or videos of {PIXART} on B200; there are: {PIXART} on H200"),
        (ALL, {"version": "9"}, f"no images or videos of {PIXART} on H200 with these options; there are: "),
        (ALL, {"batch_size": 64}, "with these options; there are: "),
        (
            setups([*IMAGES, *law_rows(Law.POWER, POWER, known.GRID, weights="stand-in.1")], [], []),
            {},
            "several, choose with --weights, --precision or --gpus: ",
        ),
    ],
)
def test_no_setup_and_several_are_one_line(of: list[Setup], changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as raised:
        ask(of, **changes)
    assert said in str(raised.value) and "\n" not in str(raised.value)


def test_the_newest_version_that_can_answer_is_chosen_and_others_are_named() -> None:
    older = law_rows(Law.POWER, {**POWER, Term.SCALE: 1.0}, known.GRID, runtime_version="0.9.2")
    newest = [measured(runtime_version="0.11.0")]
    found = ask(setups([*IMAGES, *older], newest, []))
    assert found.keys["runtime_version"] == "0.10.0" and found.other_versions == ("0.9.2",)
    found = ask(setups([*IMAGES, *older], newest, []), version="0.9.2")
    assert found.keys["runtime_version"] == "0.9.2" and found.other_versions == ()


def test_batch_sizes_answer_side_by_side_and_one_can_be_chosen() -> None:
    at_four = law_rows(Law.POWER, {**POWER, Term.SCALE: 7.0}, known.GRID, batch_size=4)
    both = setups([*IMAGES, *at_four], [measured()], [])
    found = ask(both, steps=20)
    assert [(each.keys["batch_size"], each.basis) for each in found.answers] == [
        (1, "measured"), (4, "a model fitted to measurements"),
    ]  # fmt: skip
    (one,) = ask(both, steps=20, batch_size=4).answers
    assert one.keys["batch_size"] == 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((*ASKED, "--prompt", "100"), "--prompt and --answer price a request of text, --steps, --height and"),
        (ASKED[:6], "give --steps, --height and --width of the image or video"),
        (ASKED[:4], "give --prompt and --answer of a request of text, or --steps, --height and --width"),
        ((*ASKED[:4], "--prompt", "100"), "give --prompt and --answer of a request of text, or"),
        ((*ASKED, "--load", "0.5"), "--prompt and --answer price a request of text"),
    ],
)
def test_the_two_kinds_of_price_are_not_mixed(
    call: Callable[..., Result], arguments: tuple[str, ...], said: str
) -> None:
    error = call(*arguments).exception
    assert isinstance(error, SettingsError) and said in str(error)


def test_rows_of_several_gpus_say_how_they_share_the_work() -> None:
    split = [
        measured(joules, num_gpus=2, ulysses_degree=ulysses, ring_degree=ring)
        for joules, ulysses, ring in ((200.0, 2, 1), (210.0, 1, 2))
    ]
    _, (header, rows), _ = answer.in_words(ask(setups([], split, []), steps=20))
    assert header[0] == "ulysses x ring"
    assert {row[0]: row[2] for row in rows} == {"2 x 1": "200.0", "1 x 2": "210.0"}
