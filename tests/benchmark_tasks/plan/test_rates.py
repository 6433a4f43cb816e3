"""Request rates: as a person writes them, shares of what was measured, and the runs that they count."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from benchmark_tasks.errors import CatalogError, SettingsError
from benchmark_tasks.plan import at_rates, at_rates_of_policy, read_rate, read_rates, still_missing
from benchmark_tasks.plan.landed import closed_loop_maximum
from benchmark_tasks.plan.sweep import Sweep, SweepPoint
from benchmark_tasks.results.identity import LOAD_KEYS
from benchmark_tasks.results.schema import Run
from benchmark_tasks.testing.quick import quick_sweep
from benchmark_tasks.testing.samples import sample_open_run, sample_run


def sweep_of(run: Run, *points: SweepPoint) -> Sweep:
    """The sweep that a run is of."""
    wanted, keys = run.configuration, run.comparability
    fields: dict[str, Any] = wanted.model_dump(exclude=set(LOAD_KEYS))
    return quick_sweep(
        **fields,
        runtime_version=keys.runtime_version,
        weights=keys.weights,
        request_set="synthetic",
        points=points or (SweepPoint(batch_size=wanted.batch_size),),
        procedure=None,
        distribution="vllm",
    )


@pytest.mark.parametrize(
    ("rate", "burstiness"), [(1e3 + 1, 1.0), (1e6, 1.0), (1e300, 1.0), (1e-9, 1.0), (2.0, 1e-300), (2.0, 1e9)]
)
def test_what_the_load_generator_cannot_send_is_in_no_plan(rate: float, burstiness: float) -> None:
    with pytest.raises(ValidationError, match=r"load generator can send: at most 1,000|too few|burstiness"):
        SweepPoint(batch_size=4, request_rate=rate, burstiness=burstiness)
    with pytest.raises(SettingsError, match=r"load generator can send: at most 1,000|too few|burstiness"):
        at_rates(sweep_of(sample_run()), [f"{rate:g}"], (), burstiness=burstiness)


def test_the_highest_rate_of_the_benchmark_can_be_planned() -> None:
    (point,) = at_rates(sweep_of(sample_run()), ["1000"], ()).points
    assert point.request_rate == 1000


def closed(batch_size: int, tokens_per_second: float, **changes: Any) -> Run:
    run = sample_run(batch_size=batch_size, tokens_per_second=tokens_per_second, **changes)
    assert run.requests is not None
    return run.model_copy(update={"requests": run.requests.model_copy(update={"mean_output_tokens": 500.0})})


@pytest.mark.parametrize(
    ("text", "value", "is_share"),
    [("2.5", 2.5, False), ("0", 0.0, False), ("50%", 0.5, True), (" 110 %", 1.1, True)],
)
def test_a_rate_is_a_number_or_a_share(text: str, value: float, is_share: bool) -> None:
    assert read_rate(text) == (value, is_share)


@pytest.mark.parametrize("text", ["-0", "-0.0", "-0%", "-1e-999"])
def test_no_rate_is_a_negative_zero(text: str) -> None:
    assert str(read_rate(text)[0]) == "0.0"


@pytest.mark.parametrize("text", ["", "-1", "fast", "nan", "inf", "5 per s", "%", "2000%", "-5%"])
def test_what_is_no_rate_is_said_in_one_line(text: str) -> None:
    with pytest.raises(SettingsError, match=r"rate|more than"):
        read_rate(text)


def test_a_share_is_of_the_highest_closed_loop_up_to_the_batch_size() -> None:
    runs = [
        closed(16, 2000),
        closed(64, 7123),
        closed(128, 9000),
        closed(64, 50_000, runtime_version="0.9.0"),
    ]
    sweep = sweep_of(runs[1])
    assert closed_loop_maximum(sweep, runs) == pytest.approx(7123 / 500)
    wanted = at_rates(sweep, ["50%", "0", "3"], runs, burstiness=0.5)
    assert [(point.request_rate, point.burstiness) for point in wanted.points] == [
        (0.0, None),
        (3.0, 0.5),
        (7.12, 0.5),
    ]
    assert {point.batch_size for point in wanted.points} == {64} and wanted.is_open


@pytest.mark.parametrize(
    ("text", "rates"), [(None, []), (" ", []), ("0, 50 %,2.5 110%", ["0", "50%", "2.5", "110%"])]
)
def test_rates_are_listed_in_one_text(text: str | None, rates: list[str]) -> None:
    assert read_rates(text) == rates
    with pytest.raises(SettingsError, match="'x' is no request rate"):
        read_rates(f"{text or ''} x")


def test_every_release_is_measured_at_shares_of_the_first_ones_maximum() -> None:
    runs = [closed(64, 5000), closed(64, 9000, runtime_version="0.27.0")]
    later = runs[1].model_copy(update={"finished_at": runs[1].finished_at + timedelta(days=7)})
    sweep = sweep_of(later).model_copy(update={"runtime_version": "0.28.0"})
    for landed in ([runs[0], later], [later, runs[0]]):
        opened = at_rates_of_policy(sweep, ["0", "50%"], landed)
        assert opened is not None and opened.runtime_version == "0.28.0"
        assert [point.request_rate for point in opened.points] == [0.0, 5.0]
    assert at_rates_of_policy(sweep, ["50%"], []) is None
    absolute = at_rates_of_policy(sweep, ["2"], [])
    assert absolute is not None and absolute.points[0].request_rate == 2.0


def test_an_open_loop_is_no_measure_of_what_a_closed_one_can() -> None:
    run = sample_open_run()
    assert closed_loop_maximum(sweep_of(run), [run]) is None


def test_a_share_of_what_was_not_measured_says_what_to_do() -> None:
    with pytest.raises(
        CatalogError, match=r"measure batch 4 first, or give the rate in requests per second$"
    ):
        at_rates(quick_sweep(4), ["50%"], [])


def test_the_largest_batch_size_is_the_most_at_once_and_repeats_stay() -> None:
    sweep = quick_sweep(points=(SweepPoint(batch_size=4, repeats=3), SweepPoint(batch_size=16, repeats=3)))
    (point,) = at_rates(sweep, ["2"], []).points
    assert (point.batch_size, point.repeats, point.burstiness) == (16, 3, 1.0)


def test_images_have_no_arrivals() -> None:
    fields = {
        "task": "text-to-image",
        "inference_steps": 2,
        "height": 64,
        "width": 64,
        "runtime": "diffusers",
    }
    images = quick_sweep(
        **fields, model_id="jouleboard/pixart-tiny", distribution="diffusers", weights="random"
    )
    with pytest.raises(SettingsError, match="has no requests that arrive"):
        at_rates(images, ["2"], [])


def test_closed_and_open_loops_are_no_sweep_together() -> None:
    points = (SweepPoint(batch_size=4), SweepPoint(batch_size=4, request_rate=1.0, burstiness=1.0))
    with pytest.raises(ValueError, match="one batch size"):
        quick_sweep(points=points)


@pytest.mark.parametrize("sustained", [True, False])
def test_a_load_that_cannot_be_sustained_is_measured_as_one_that_can(sustained: bool) -> None:
    run = sample_open_run(sustained=sustained)
    if not sustained:
        assert run.window_steady is not None
        unsettled = run.window_steady.model_copy(update={"settled": False})
        run = run.model_copy(update={"window_steady": unsettled})
    keys = run.comparability.model_copy(update={"request_set_id": "synthetic-lm-arena-chat-1"})
    run = run.model_copy(update={"comparability": keys})
    point = SweepPoint(batch_size=64, request_rate=5.0, burstiness=1.0)
    assert still_missing(sweep_of(run, point), [run]) is None
    assert still_missing(sweep_of(run, point.model_copy(update={"request_rate": 6.0})), [run]) is not None
