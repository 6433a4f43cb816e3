"""Both windows as pure functions: against a replay of ML.ENERGY's tracker, and on loads made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark_tasks.client.connection import CANCELLED, Trace
from benchmark_tasks.client.events import Events
from benchmark_tasks.language.windows import (
    mlenergy_window,
    steady_window,
    sub_window_edges,
    tokens_in,
)
from benchmark_tasks.measuring.steadiness import relative_drift
from benchmark_tasks.meters.energy import EnergyCurve
from benchmark_tasks.plan.procedure import Procedure

PROCEDURE = Procedure(minimum_window_seconds=10, long_window_seconds=30, full_turnovers=5)


def trace(
    index: int, slot: int, sent: float, arrivals: list[float], finished: float, error: str | None = None
) -> Trace:
    made = Trace(index, slot, max_tokens=len(arrivals), error=error)
    made.sent_ns, made.finished_ns = int(sent * 1e9) + 1, int(finished * 1e9) + 1
    made.arrival_ns = [int(t * 1e9) + 1 for t in arrivals]
    made.arrival_tokens = [1] * len(arrivals)
    made.output_tokens = len(arrivals)
    return made


def steady_load(slots: int, seconds: float, answer_seconds: float = 2.0, tokens: int = 20) -> list[Trace]:
    """Slots that answer back to back, staggered, until `seconds`; then everything is cancelled."""
    traces: list[Trace] = []
    for slot in range(slots):
        start, share = 0.0, (slot + 1) / slots
        while start < seconds:
            length = max(1, round(tokens * share))
            times = start + answer_seconds * share * np.arange(1, length + 1) / length
            share = 1.0
            end = float(times[-1])
            cancelled = end > seconds
            kept = [float(t) for t in times if t <= seconds]
            traces.append(
                trace(len(traces), slot, start, kept, min(end, seconds), CANCELLED if cancelled else None)
            )
            start = end
    return traces


def events_of(traces: list[Trace]) -> Events:
    return Events.from_traces([(0, one) for one in traces])


@st.composite
def any_traces(draw: st.DrawFn) -> list[Trace]:
    traces: list[Trace] = []
    for index in range(draw(st.integers(0, 25))):
        sent = draw(st.floats(0, 10))
        gaps = draw(st.lists(st.floats(0.001, 2), max_size=6))
        arrivals = (sent + np.cumsum(gaps)).tolist()
        error = draw(st.sampled_from([None, None, None, "broke", CANCELLED])) if arrivals else "no token"
        end = (arrivals[-1] if arrivals else sent) + draw(st.floats(0, 0.5))
        traces.append(trace(index, index % 4, sent, arrivals, end, error))
    return traces


def tracker_window(events: Events, batch_size: int) -> tuple[float, float] | None:
    """ML.ENERGY's RequestTracker, replayed in time order."""
    n = len(events.request_index)
    happenings = sorted(
        [(t, "first") for t in events.first_token_seconds if not np.isnan(t)]
        + [(t, "done") for t in events.finished_seconds]
    )
    started = finished = 0
    start = end = None
    for at, what in happenings:
        if what == "first":
            started += 1
            if started == batch_size:
                start = at
        else:
            finished += 1
            if finished == n - batch_size - 1:
                end = at
    return None if start is None or end is None or end <= start else (start, end)


@settings(max_examples=200)
@given(any_traces(), st.integers(1, 8))
def test_mlenergy_window_is_the_trackers(traces: list[Trace], batch_size: int) -> None:
    events = events_of(traces)
    window = mlenergy_window(events, batch_size)
    expected = tracker_window(events, batch_size)
    assert window.settled == (expected is not None)
    if expected is not None:
        assert (window.start_seconds, window.end_seconds) == expected
        inside = [t for one in traces for t in one.arrival_ns]
        origin = events.origin_ns
        assert window.output_tokens == sum(expected[0] < (t - origin) / 1e9 <= expected[1] for t in inside)


@settings(max_examples=200)
@given(any_traces(), st.floats(0, 30), st.booleans())
def test_windows_never_break_and_an_unsettled_one_has_no_numbers(
    traces: list[Trace], stopped: float, with_power: bool
) -> None:
    power = EnergyCurve.of_power(np.linspace(0, 30, 50), np.full(50, 400.0)) if with_power else None
    window = steady_window(events_of(traces), stopped, power, PROCEDURE)
    if not window.settled:
        assert window.reason
        assert window.start_seconds is None and window.output_tokens is None


def test_a_constant_load_settles_and_is_counted_exactly() -> None:
    events = events_of(steady_load(slots=4, seconds=40))
    window = steady_window(events, 40.0, None, PROCEDURE)
    assert window.settled and window.end_seconds == 40.0
    assert window.start_seconds == pytest.approx(2.0, abs=0.01)  # one turnover on average
    seconds = window.end_seconds - window.start_seconds
    assert window.output_tokens == pytest.approx(4 * 10 * seconds, rel=0.01)
    assert window.mean_running_requests == pytest.approx(4.0, rel=0.01)
    assert window.turnovers >= 15


def test_a_load_that_began_in_the_middle_of_answers_counts_from_the_first_tokens_on() -> None:
    traces = steady_load(slots=4, seconds=40)
    for one in traces:
        one.under_way = one.sent_ns == 1
    window = steady_window(events_of(traces), 40.0, None, PROCEDURE)
    assert window.settled and window.start_seconds == pytest.approx(0.1, abs=0.01)


def test_a_load_that_keeps_getting_faster_never_settles() -> None:
    traces = steady_load(slots=4, seconds=40)
    for one in traces:  # squeeze time: the later, the faster
        one.arrival_ns = [int(40e9 * (t / 40e9) ** 0.5) for t in one.arrival_ns]
        one.sent_ns, one.finished_ns = (int(40e9 * (t / 40e9) ** 0.5) for t in (one.sent_ns, one.finished_ns))
    window = steady_window(events_of(traces), 40.0, None, PROCEDURE)
    assert not window.settled
    assert "throughput drifts by +" in window.reason


def test_a_load_in_which_nothing_comes_out_never_settles() -> None:
    traces = [trace(slot, slot, 0.0, [0.1], 40.0, CANCELLED) for slot in range(4)]
    for one in traces:
        one.under_way = True
    window = steady_window(events_of(traces), 40.0, None, PROCEDURE)
    assert not window.settled and "no output in" in window.reason


def test_power_that_drifts_keeps_a_steady_throughput_from_settling() -> None:
    events = events_of(steady_load(slots=4, seconds=40))
    seconds = np.arange(0, 40.1, 0.1)
    rising = EnergyCurve.of_power(seconds, 300 + 4 * seconds)
    flat = EnergyCurve.of_power(seconds, 300 + np.random.default_rng(0).normal(0, 5, len(seconds)))
    assert "power drifts" in steady_window(events, 40.0, rising, PROCEDURE).reason
    assert steady_window(events, 40.0, flat, PROCEDURE).settled


def test_a_disturbed_beginning_is_left_out() -> None:
    events = events_of(steady_load(slots=4, seconds=60))
    seconds = np.arange(0, 60.1, 0.1)
    power = EnergyCurve.of_power(seconds, np.where(seconds < 12, 250.0, 400.0))
    window = steady_window(events, 60.0, power, PROCEDURE)
    assert window.settled and window.start_seconds > 12


@pytest.mark.parametrize(
    ("seconds", "answer_seconds", "reason"),
    [(8, 1.0, "only"), (18, 6.0, "turnovers"), (1, 5.0, "every slot was busy")],
)
def test_too_short_a_load_says_why(seconds: float, answer_seconds: float, reason: str) -> None:
    window = steady_window(events_of(steady_load(4, seconds, answer_seconds)), seconds, None, PROCEDURE)
    assert not window.settled and reason in window.reason


def test_drift_by_hand() -> None:
    assert relative_drift(np.array([90.0, 90, 100, 100, 110, 110])) == pytest.approx(0.2)
    assert relative_drift(np.full(11, 7.0)) == 0.0
    assert relative_drift(np.array([1.0, 5.0])) == 0.0


def test_the_parts_of_a_window_have_its_tokens() -> None:
    """Tokens that arrive at an edge belong to what ends there, in a window as in its parts."""
    answer = trace(0, 0, 0.0, [1.0, 2.0, 3.0, 5.0, 6.0], 6.0)
    answer.arrival_tokens = [7, 1, 2, 4, 9]
    events = events_of([answer])
    at = events.chunk_seconds
    edges = np.array([at[0], at[2], at[3]])
    assert tokens_in(events, edges).tolist() == [1 + 2, 4]
    for start, end in ((at[0], at[3]), (at[1], at[4])):
        parts = tokens_in(events, sub_window_edges(start, end, 3))
        assert parts.sum() == events.tokens_between(start, end)


def slowed(traces: list[Trace], begin: float, end: float, factor: float) -> list[Trace]:
    """The load on a server that takes `factor` times as long from `begin` to `end`."""
    into = end - (end - begin) * (1 - 1 / factor)

    def stretched(ns: int) -> int:
        seconds = ns / 1e9
        inside = min(max(seconds - begin, 0.0), into - begin)
        return int((seconds + inside * (factor - 1)) * 1e9)

    for one in traces:
        one.arrival_ns = [stretched(t) for t in one.arrival_ns]
        one.sent_ns, one.finished_ns = stretched(one.sent_ns), stretched(one.finished_ns)
    return traces


@pytest.mark.parametrize(
    ("begin", "end", "factor"),
    [
        (28, 36, 2.0),
        (20, 44, 1.3),
        (29, 33, 50.0),
        (24, 40, 0.6),
        (46, 54, 1.5),
        (10, 20, 1.3),
        (45, 47, 2.0),
    ],
)
def test_a_slow_or_fast_middle_is_left_out_or_refused(begin: float, end: float, factor: float) -> None:
    """Undisturbed it gives 40 tokens per second; a window that settles is within half of the drift limit."""
    traces = slowed(steady_load(slots=4, seconds=60), begin, end, factor)
    stopped = max(one.finished_ns for one in traces) / 1e9
    window = steady_window(events_of(traces), stopped, None, PROCEDURE)
    if window.settled:
        assert window.output_tokens is not None and window.end_seconds and window.start_seconds
        seconds = window.end_seconds - window.start_seconds
        assert window.output_tokens / seconds == pytest.approx(40, rel=0.025)
    else:
        assert window.reason is not None and "throughput" in window.reason


def test_what_differs_is_said() -> None:
    """The middle third of the window, which thirds at its ends do not see."""
    middle = slowed(steady_load(slots=4, seconds=30), 14, 19, 2.0)
    stopped = max(one.finished_ns for one in middle) / 1e9
    procedure = PROCEDURE.model_copy(update={"minimum_window_seconds": 28.0})
    window = steady_window(events_of(middle), stopped, None, procedure)
    assert not window.settled and window.reason is not None
    assert "throughput in parts 5 to 6 of 10 differs from the other parts by -" in window.reason


@pytest.mark.parametrize("seconds", [45.0, 46.2, 47.3, 49.9])
def test_answers_of_one_token_settle_however_few_a_part_holds(seconds: float) -> None:
    """Four prompts at a time, read one after the other in 0.5 s each: a tenth of the window holds 9 or 10."""
    ends = np.arange(0.5, seconds, 0.5)
    traces = [trace(i, i % 4, max(0.0, end - 2.0), [float(end)], float(end)) for i, end in enumerate(ends)]
    procedure = PROCEDURE.model_copy(update={"minimum_window_seconds": 40.0})
    window = steady_window(events_of(traces), seconds, None, procedure)
    assert window.settled and window.throughput_trend == pytest.approx(0, abs=1e-6), window.reason


def test_answers_of_one_token_that_come_slower_for_a_while_do_not_settle() -> None:
    ends = np.cumsum(np.concatenate([np.full(40, 0.5), np.full(8, 0.9), np.full(40, 0.5)]))
    traces = [trace(i, i % 4, max(0.0, end - 2.0), [float(end)], float(end)) for i, end in enumerate(ends)]
    procedure = PROCEDURE.model_copy(update={"minimum_window_seconds": 40.0})
    window = steady_window(events_of(traces), float(ends[-1]), None, procedure)
    assert not window.settled and window.reason is not None and "throughput" in window.reason


def test_power_that_sags_in_the_middle_keeps_a_steady_throughput_from_settling() -> None:
    seconds = np.arange(0, 40.1, 0.1)
    sagging = EnergyCurve.of_power(seconds, np.where((seconds > 19) & (seconds < 22), 250.0, 400.0))
    procedure = PROCEDURE.model_copy(update={"minimum_window_seconds": 35.0})
    window = steady_window(events_of(steady_load(slots=4, seconds=40)), 40.0, sagging, procedure)
    assert not window.settled and window.reason is not None
    assert "power in parts 5 to 6 of 10" in window.reason
