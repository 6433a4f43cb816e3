"""When generating has settled."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark_tasks.diffusion.windows import Batches, inside, steady_window
from benchmark_tasks.meters.energy import EnergyCurve
from benchmark_tasks.plan.procedure import Procedure

PROCEDURE = Procedure(minimum_window_seconds=10, long_window_seconds=30, full_turnovers=5, drift_limit=0.05)

WHOLE = PROCEDURE.model_copy(update={"minimum_window_seconds": 25.0})
"""No later start leaves enough."""


def batches(*seconds: float, items: int = 4) -> Batches:
    ends = np.cumsum(seconds)
    return Batches(ends - np.array(seconds), ends, np.full(len(seconds), items))


def test_it_begins_with_the_first_batch_that_takes_as_long_as_the_one_before() -> None:
    window = steady_window(batches(9.0, 4.0, 2.1, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0), None, PROCEDURE)
    assert window.settled and window.start_seconds == pytest.approx(9.0 + 4.0 + 2.1)
    assert (window.output_items, window.turnovers) == (24, 6)
    assert window.end_seconds == pytest.approx(27.1)
    assert window.output_tokens is None and window.mean_running_requests == pytest.approx(4)


def test_the_first_batch_never_counts() -> None:
    assert steady_window(batches(*[4.0] * 6), None, PROCEDURE).start_seconds == 4.0


def test_gaps_between_batches_belong_to_the_window() -> None:
    begin = np.arange(12) * 2.0
    window = steady_window(Batches(begin, begin + 1.5, np.full(12, 4)), None, PROCEDURE)
    assert window.mean_running_requests == pytest.approx(4 * 11 * 1.5 / (10 * 2.0 + 1.5))


@pytest.mark.parametrize(
    ("seconds", "reason"),
    [
        ([2.0], "keeps changing"),
        ([3.0, 2.0, 3.0, 2.0, 3.0, 2.0], "keeps changing"),
        ([1.0] * 6, "only 5.0 s of the 10 s"),
        ([6.0] * 4, "3 batches in 18.0 s; 5 or 30 s are needed"),
        ([1.0, 1.0, *np.linspace(1.0, 1.4, 14)], "throughput drifts by -"),
    ],
)
def test_what_has_not_settled_says_why(seconds: list[float], reason: str) -> None:
    window = steady_window(batches(*seconds), None, PROCEDURE)
    assert not window.settled and reason in window.reason and window.energy is None


def test_one_long_batch_is_a_window() -> None:
    window = steady_window(batches(650.0, 600.0, 600.0), None, PROCEDURE)
    assert window.settled and (window.turnovers, window.start_seconds) == (1, 1250.0)


def test_a_start_that_drifts_is_left_out() -> None:
    seconds = [3.0, 2.9, 2.8, 2.7, 2.6, 2.5, 2.4, 2.3, 2.2, 2.1, *[2.0] * 20]
    window = steady_window(batches(*seconds), None, PROCEDURE)
    assert window.settled and window.start_seconds > sum(seconds[:5])
    assert window.throughput_trend is not None
    assert abs(window.throughput_trend) <= PROCEDURE.drift_limit


def test_power_that_drifts_has_not_settled() -> None:
    at = np.arange(0, 30, 0.1)
    rising = EnergyCurve.of_power(at, 300 + 10 * at)
    window = steady_window(batches(*[2.0] * 12), rising, PROCEDURE)
    assert not window.settled and "power drifts by +" in window.reason
    flat = EnergyCurve.of_power(at, np.full(len(at), 300.0))
    assert steady_window(batches(*[2.0] * 12), flat, PROCEDURE).power_trend == pytest.approx(0, abs=1e-9)


def test_the_window_holds_whole_batches() -> None:
    made = batches(9.0, *[2.0] * 8)
    assert inside(made, steady_window(made, None, PROCEDURE)).tolist() == [False, False, *[True] * 7]


@pytest.mark.parametrize("count", [5, 8, 12, 20, 40])
@pytest.mark.parametrize("slow", [0.5, 1.3, 3.0])
def test_one_slow_or_fast_batch_in_the_middle_is_seen(count: int, slow: float) -> None:
    """The window begins after it where enough is left; otherwise it has not settled, with the reason."""
    steady = [6.0 + 0.01 * (i % 3) for i in range(count)]
    middle = 1 + count // 2
    odd = batches(*steady[:middle], 6.0 * slow, *steady[middle:])
    window = steady_window(odd, None, PROCEDURE)
    if window.settled:
        assert window.start_seconds is not None and window.start_seconds >= odd.end_seconds[middle]
    else:
        assert window.reason is not None and "time per item in part" in window.reason
    assert steady_window(batches(*steady), None, PROCEDURE).settled == (count > 5)


def test_two_slow_batches_do_not_hide_each_other() -> None:
    seconds = [2.0 + 0.01 * (i % 3) for i in range(20)]
    seconds[9] = seconds[11] = 3.0
    window = steady_window(batches(*seconds), None, WHOLE)
    assert not window.settled and window.reason is not None
    assert "time per item in parts 9, 11 of 19 differs from the other parts by +4" in window.reason


def test_a_pause_between_batches_is_seen() -> None:
    begin = np.arange(12) * 3.0 + np.where(np.arange(12) >= 6, 6.0, 0.0)
    window = steady_window(Batches(begin, begin + 2.9, np.full(12, 4)), None, WHOLE)
    assert (
        not window.settled and window.reason is not None and "time per item in part 6 of 11" in window.reason
    )


@pytest.mark.parametrize(("last", "settled"), [(42.0, True), (40.0, True), (45.0, False), (35.0, False)])
def test_of_two_batches_neither_may_differ_by_more_than_the_limit(last: float, settled: bool) -> None:
    window = steady_window(batches(80.0, 40.0, 40.5, last), None, PROCEDURE)
    assert window.settled and window.turnovers == (2 if settled else 1)


def test_power_that_sags_in_the_middle_has_not_settled() -> None:
    at = np.arange(0, 30, 0.1)
    sagging = EnergyCurve.of_power(at, np.where((at > 14) & (at < 16), 200.0, 300.0))
    window = steady_window(batches(*[2.0] * 14), sagging, WHOLE)
    assert not window.settled and window.reason is not None
    assert "power in part 7 of 13 differs from the other parts by -3" in window.reason
