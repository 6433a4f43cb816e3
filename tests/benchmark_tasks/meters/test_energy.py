"""Energy of a span, by counter and by integral, and everything that can be wrong with either."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark_tasks.errors import MeterError
from benchmark_tasks.meters.energy import (
    energy_between,
    energy_curve,
    require_agreement,
    require_sound_counters,
    spent_between,
)
from benchmark_tasks.meters.meter import Timeline
from benchmark_tasks.results import bundle
from benchmark_tasks.results.schema import WindowEnergy
from benchmark_tasks.results.tables import Series


def timeline(
    seconds: np.ndarray, watts: np.ndarray, joules: np.ndarray | None = None, gpus: int = 1
) -> Timeline:
    """A counter that integrates the power, for some identical GPUs."""
    if joules is None:
        steps = np.diff(seconds) * (watts[1:] + watts[:-1]) / 2
        joules = 5e6 + np.concatenate([[0], np.cumsum(steps)])
    parts = [
        (series.value, gpu, t, v)
        for gpu in range(gpus)
        for series, values in ((Series.POWER_WATTS, watts), (Series.ENERGY_COUNTER_JOULES, joules))
        for t, v in zip(seconds, values, strict=True)
    ]
    names, indices, times, values = zip(*parts, strict=True)
    return Timeline(np.array(names, dtype=object), np.array(indices), np.array(times), np.array(values))


TENTHS = np.arange(0, 60.01, 0.1)


def test_constant_power_over_two_gpus() -> None:
    energy = energy_between(timeline(TENTHS, np.full(len(TENTHS), 350.0), gpus=2), 10.03, 40.07)
    assert energy.counter_joules == pytest.approx(2 * 350 * 30.04)
    assert energy.integral_joules == pytest.approx(2 * 350 * 30.04)
    assert energy.counter_joules_per_gpu == pytest.approx((350 * 30.04, 350 * 30.04))


@given(st.floats(1, 20), st.floats(21, 40), st.floats(41, 59))
def test_energy_adds_up_over_adjacent_spans(a: float, b: float, c: float) -> None:
    line = timeline(TENTHS, 300 + 100 * np.sin(TENTHS))
    whole = energy_between(line, a, c).counter_joules
    assert whole == pytest.approx(
        energy_between(line, a, b).counter_joules + energy_between(line, b, c).counter_joules
    )


def test_mean_power_comes_from_the_counters_where_all_gpus_have_one() -> None:
    """Samples that jump say nothing of it; they are what there is where a counter is missing or fell."""
    jumping = 400 + 200 * np.sin(7.0 * TENTHS)
    curve = energy_curve(timeline(TENTHS, jumping, joules=5e6 + 300 * TENTHS, gpus=2))
    assert curve.mean_watts(10, 10.25) == pytest.approx(600)
    fallen = energy_curve(timeline(TENTHS, np.full(len(TENTHS), 400.0), joules=-TENTHS, gpus=2))
    assert fallen.mean_watts(10, 12) == pytest.approx(800)
    assert fallen.mean_watts(60.1, 61) is None
    assert fallen.mean_watts(59, 61) is None, "the counter stood still only because nobody read it"
    whole = timeline(TENTHS, jumping, gpus=2)
    read = (whole.gpu_index == 0) | (whole.seconds <= 30)
    columns = (whole.series, whole.gpu_index, whole.seconds, whole.values)
    kept = Timeline(*(column[read] for column in columns))
    assert energy_curve(kept).mean_watts(20, 30) is not None
    assert energy_curve(kept).mean_watts(25, 35) is None
    assert energy_curve(Timeline.from_readings([], 0)) is None


def test_the_two_instruments_disagree_when_the_counter_is_wrong() -> None:
    watts = np.full(len(TENTHS), 400.0)
    energy = energy_between(timeline(TENTHS, watts, joules=TENTHS * 440), 5, 55)
    assert energy.counter_joules / energy.integral_joules == pytest.approx(1.1)


def _reset(line: Timeline) -> Timeline:
    values = line.values.copy()
    values[(line.series == Series.ENERGY_COUNTER_JOULES.value) & (line.seconds > 30)] -= 5e6
    return Timeline(line.series, line.gpu_index, line.seconds, values)


def _gap(line: Timeline, begin: float = 28, end: float = 31) -> Timeline:
    kept = (line.seconds < begin) | (line.seconds > end)
    return Timeline(line.series[kept], line.gpu_index[kept], line.seconds[kept], line.values[kept])


@pytest.mark.parametrize(
    ("damage", "start", "end", "reason"),
    [
        (_reset, 10, 50, "backwards"),
        (_gap, 10, 50, "not read for more than"),
        (lambda line: line.between(0, 45), 10, 50, "not read throughout"),
        (lambda line: line.between(20, 60), 10, 50, "not read throughout"),
        (lambda line: line.between(-2, -1), 10, 50, "no energy counter"),
        (lambda line: line, 50, 50, "empty"),
    ],
)
def test_energy_that_cannot_be_known_is_refused(
    damage: Callable[[Timeline], Timeline], start: float, end: float, reason: str
) -> None:
    with pytest.raises(MeterError, match=reason):
        energy_between(damage(timeline(TENTHS, np.full(len(TENTHS), 400.0))), start, end)


def test_a_phase_is_known_from_its_ends_although_the_driver_was_deaf_between() -> None:
    line = timeline(TENTHS, np.full(len(TENTHS), 400.0))
    deaf = _gap(line, 12, 40)
    with pytest.raises(MeterError, match="not read for more than"):
        energy_between(deaf, 10, 50)
    assert spent_between(deaf, 10, 50) == pytest.approx(400 * 40)
    with pytest.raises(MeterError, match="near an end"):
        spent_between(deaf, 10, 30)
    with pytest.raises(MeterError, match="no energy counter"):
        spent_between(line.between(-2, -1), 10, 30)


def test_a_gap_in_power_alone_costs_only_the_certificate() -> None:
    line = timeline(TENTHS, np.full(len(TENTHS), 400.0))
    kept = (line.series != Series.POWER_WATTS.value) | (line.seconds < 20) | (line.seconds > 30)
    holed = Timeline(line.series[kept], line.gpu_index[kept], line.seconds[kept], line.values[kept])
    energy = energy_between(holed, 10, 50)
    assert energy.counter_joules == pytest.approx(16_000) and energy.integral_joules is None


RECORDED = sorted(path.parent for path in (Path(__file__).parents[3] / "recorded_runs").rglob("run.json"))


def test_timelines_recorded_on_gpus_give_the_joules_that_their_records_say() -> None:
    said = 0
    for folder in RECORDED:
        line = Timeline.from_table(pq.read_table(folder / bundle.TIMELINES_FILE))
        run = bundle.read_record(folder)
        for window in (run.window_steady, run.window_mlenergy):
            if window is not None and window.energy is not None:
                assert window.start_seconds is not None and window.end_seconds is not None
                again = energy_between(line, window.start_seconds, window.end_seconds)
                assert _numbers(again) == pytest.approx(_numbers(window.energy), rel=1e-9), folder
                said += 1
    assert said


def _numbers(energy: WindowEnergy) -> list[float]:
    fields = energy.model_dump()
    return [*fields.pop("counter_joules_per_gpu"), *fields.values()]


def broken(kind: str) -> np.ndarray:
    """Counters of a GPU that draws 400 W for a minute, as they have been seen to break."""
    sound = 5e6 + 400.0 * TENTHS
    match kind:
        case "frozen":
            return np.full(len(TENTHS), 5e6)
        case "frozen from the middle on":
            return np.minimum(sound, 5e6 + 400.0 * 30)
        case "another scale":
            return sound * 1.1
        case "millijoules":
            return sound * 1000
        case "counts half":
            return sound / 2
        case "jumps ahead":
            return sound + 500.0 * (TENTHS > 25)
        case "goes on after a standstill":
            return np.where((TENTHS > 20) & (TENTHS < 24), 5e6 + 400.0 * 20, sound)
    raise ValueError(kind)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("frozen", "counted 0 J where its power adds up to 16000 J"),
        ("frozen from the middle on", "counted 8000 J"),
        ("another scale", "counted 17600 J"),
        ("millijoules", "counted 16000000 J"),
        ("counts half", "counted 8000 J"),
        ("jumps ahead", "jumped by 540 J between two readings"),
        ("goes on after a standstill", "did not move for 3.9 s"),
    ],
)
def test_a_broken_counter_is_not_believed(kind: str, message: str) -> None:
    """By what nvml.h says of a power reading: accurate to 5 %."""
    watts = np.full(len(TENTHS), 400.0)
    line = timeline(TENTHS, watts, broken(kind))
    with pytest.raises(MeterError, match=f"energy counter of GPU 0 {message}"):
        require_sound_counters(line, 10.0, 50.0)


def test_a_jump_across_an_edge_of_the_window_is_found() -> None:
    """A part of it is in the window's joules, as the counter's value at an edge is interpolated."""
    watts = np.full(len(TENTHS), 400.0)
    for at, start, end in ((25.0, 25.05, 55.0), (25.0, 5.0, 25.05)):
        line = timeline(TENTHS, watts, 5e6 + 400.0 * TENTHS + 500.0 * (TENTHS - at > 0.01))
        with pytest.raises(MeterError, match="jumped by 540 J between two readings"):
            require_sound_counters(line, start, end)
    outside = timeline(TENTHS, watts, 5e6 + 400.0 * TENTHS + 500.0 * (TENTHS > 24.0))
    require_sound_counters(outside, 25.05, 55.0)


@pytest.mark.parametrize(("first", "last"), [(10.0, 50.0), (10.04, 50.0), (10.9, 49.2)])
def test_a_phase_is_held_against_the_power_that_was_read_in_it(first: float, last: float) -> None:
    """The first reading of a phase comes a moment after its start."""
    watts = np.full(len(TENTHS), 400.0)

    def read(joules: np.ndarray) -> Timeline:
        line = timeline(TENTHS, watts, joules)
        kept = (line.seconds >= first) & (line.seconds <= last)
        return Timeline(line.series[kept], line.gpu_index[kept], line.seconds[kept], line.values[kept])

    require_agreement(read(5e6 + 400.0 * TENTHS), 10.0, 50.0, 0.1)
    with pytest.raises(MeterError, match="energy counter of GPU 0 counted 0 J"):
        require_agreement(read(np.full(len(TENTHS), 5e6)), 10.0, 50.0, 0.1)


def unread(line: Timeline, series: Series, gaps: list[tuple[float, float]]) -> Timeline:
    """The timeline without a series' readings in some gaps, as a busy machine or driver leaves it."""
    kept = np.ones(len(line.seconds), dtype=bool)
    for first, last in gaps:
        kept &= ~((line.series == series.value) & (line.seconds > first) & (line.seconds < last))
    return Timeline(line.series[kept], line.gpu_index[kept], line.seconds[kept], line.values[kept])


@settings(max_examples=40)
@given(
    kind=st.sampled_from(["frozen", "millijoules", "counts half"]),
    gaps=st.lists(st.tuples(st.floats(0, 50), st.floats(1.2, 9)), min_size=1, max_size=3),
    start=st.floats(0.5, 20),
    lasts=st.floats(35, 39),
)
def test_a_broken_counter_is_not_believed_where_power_was_read_now_and_then(
    kind: str, gaps: list[tuple[float, float]], start: float, lasts: float
) -> None:
    """A machine too busy to read power for more than a second told a frozen counter's 0 J as energy."""
    line = timeline(TENTHS, np.full(len(TENTHS), 400.0), broken(kind))
    line = unread(line, Series.POWER_WATTS, [(at, at + lasting) for at, lasting in gaps])
    for share in (0.05, 0.1):
        with pytest.raises(MeterError, match=r"energy counter of GPU 0 (counted|did not move)"):
            require_agreement(line, start, start + lasts, share)


def test_a_counter_that_does_not_move_is_not_believed_even_where_no_power_was_read() -> None:
    frozen = timeline(TENTHS, np.full(len(TENTHS), 400.0), broken("frozen"))
    late = frozen.between(12, 50)
    for line in (unread(frozen, Series.POWER_WATTS, [(-1, 99)]), late):
        with pytest.raises(MeterError, match="energy counter of GPU 0"):
            require_agreement(line, 10.0, 50.0, 0.1)
    no_power = unread(frozen, Series.POWER_WATTS, [(-1, 99)])
    require_agreement(no_power, 10.0, 10.9, 0.1)
    sound = timeline(TENTHS, np.full(len(TENTHS), 400.0))
    require_agreement(unread(sound, Series.POWER_WATTS, [(-1, 99)]), 10.0, 50.0, 0.1)
    with pytest.raises(MeterError, match="energy counter of GPU 0 did not move for 40"):
        require_agreement(timeline(TENTHS, 0 * TENTHS), 10.0, 50.0, 0.1)  # and the driver says 0 W


def test_a_counter_that_stood_still_where_no_power_was_read_is_not_believed() -> None:
    """From 22 to 32 s; then it goes on. A quarter of the energy would be missing."""
    stuck = 5e6 + 400.0 * np.where(TENTHS < 22, TENTHS, np.maximum(22, TENTHS - 10))
    line = timeline(TENTHS, np.full(len(TENTHS), 400.0), stuck)
    for gap in ([(21.5, 32.5)], [(-1.0, 99.0)]):
        with pytest.raises(MeterError, match=r"energy counter of GPU 0 did not move for (9\.9|10\.0) s"):
            require_sound_counters(unread(line, Series.POWER_WATTS, gap), 10.0, 50.0)


def test_errors_of_a_counter_do_not_cancel_over_a_gap_in_the_readings_of_power() -> None:
    """It counts a quarter too much until 30 s, then a quarter too little."""
    wrong = 5e6 + 500.0 * np.where(TENTHS < 30, 1.25 * TENTHS, 37.5 + 0.75 * (TENTHS - 30))
    line = timeline(TENTHS, np.full(len(TENTHS), 500.0), wrong)
    with pytest.raises(MeterError, match="energy counter of GPU 0 counted"):
        require_sound_counters(unread(line, Series.POWER_WATTS, [(28, 31)]), 10.0, 50.0)


@pytest.mark.parametrize("series", [[Series.POWER_WATTS], list(Series)])
@pytest.mark.parametrize("kept", [0.5, 0.2])
def test_a_sound_counter_is_believed_where_readings_are_sparse(series: list[Series], kept: float) -> None:
    """Windows of recorded runs, of which most readings were lost. At least 95 of 100 stay."""
    random = np.random.default_rng(0)
    names = [each.value for each in series]
    believed, total = 0, 0
    for folder in RECORDED[::8]:
        run, line = (
            bundle.read_record(folder),
            Timeline.from_table(pq.read_table(folder / bundle.TIMELINES_FILE)),
        )
        window = run.window_steady
        if window is None or window.energy is None:
            continue
        times = np.unique(line.seconds)
        lost = np.isin(line.seconds, times[random.random(len(times)) > kept]) & np.isin(line.series, names)
        sparse = Timeline(*(each[~lost] for each in (line.series, line.gpu_index, line.seconds, line.values)))
        total += 1
        with suppress(MeterError):
            require_sound_counters(sparse, window.start_seconds or 0.0, window.end_seconds or 0.0)
            believed += 1
    assert total > 25 and believed > 0.95 * total


def test_a_jump_is_found_beside_a_gap_in_the_readings_of_power() -> None:
    jumping = timeline(TENTHS, np.full(len(TENTHS), 400.0), broken("jumps ahead"))
    with pytest.raises(MeterError, match="jumped by 540 J between two readings"):
        require_sound_counters(unread(jumping, Series.POWER_WATTS, [(40, 43)]), 10.0, 50.0)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.floats(0, 50), st.floats(0.3, 9)), max_size=4))
def test_a_sound_counter_is_believed_whenever_power_was_not_read(gaps: list[tuple[float, float]]) -> None:
    swinging = timeline(TENTHS, 400 + 300 * np.sin(TENTHS))
    line = unread(swinging, Series.POWER_WATTS, [(at, at + lasting) for at, lasting in gaps])
    require_sound_counters(line, 10.03, 50.07)


def test_a_sound_counter_is_believed_whatever_the_power_does() -> None:
    for watts in (350 + 0 * TENTHS, 400 + 300 * np.sin(TENTHS), np.where(TENTHS > 30, 700.0, 70.0)):
        line = timeline(TENTHS, watts, gpus=2)
        require_sound_counters(line, 10.03, 50.07)
        require_sound_counters(line, 29.9, 30.6)


def test_one_broken_counter_of_eight_is_found() -> None:
    watts = np.full(len(TENTHS), 400.0)
    eight = timeline(TENTHS, watts, gpus=8)
    values = eight.values.copy()
    counter = (eight.series == Series.ENERGY_COUNTER_JOULES.value) & (eight.gpu_index == 5)
    values[counter] = 5e6
    with pytest.raises(MeterError, match="energy counter of GPU 5"):
        require_sound_counters(Timeline(eight.series, eight.gpu_index, eight.seconds, values), 10.0, 50.0)


def test_counters_of_recorded_runs_are_believed() -> None:
    """Over the whole load, with its beginning and its end."""
    believed = 0
    for folder in RECORDED[::5]:
        recorded = Timeline.from_table(pq.read_table(folder / bundle.TIMELINES_FILE))
        seconds, _ = recorded.of(Series.ENERGY_COUNTER_JOULES)
        if len(seconds):
            require_sound_counters(recorded, float(seconds.min()) + 0.2, float(seconds.max()) - 0.2)
            believed += 1
    assert believed > 10
