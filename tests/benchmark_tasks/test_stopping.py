"""The stopping rule on made-up progress: no server, no clock."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmark_tasks.client.load import Progress
from benchmark_tasks.meters.meter import NoMeter, Recorder
from benchmark_tasks.procedure import Procedure
from benchmark_tasks.stopping import Watcher
from benchmark_tasks.testing.replay_meter import ReplayMeter

PROCEDURE = Procedure(
    minimum_window_seconds=10, long_window_seconds=20, full_turnovers=5, target_relative_interval=0.01
)


def progress(seconds: float, tokens: float, turnovers: int, failed: int = 0) -> Progress:
    finished = turnovers * 4
    return Progress(
        at_ns=int(seconds * 1e9),
        slots=4,
        warm=finished >= 4,
        sent=finished + 4,
        finished=finished,
        failed=failed,
        tokens=int(tokens),
        turnovers=turnovers,
    )


def stopped_after(
    tokens_at: Callable[[float], float],
    answer_seconds: float = 1.0,
    watts: Callable[[float], float] | None = None,
    limit: float = 120.0,
) -> float | None:
    """Seconds of load until the watcher has enough; `None` if not within `limit`."""
    clock = {"ns": 0}
    meter = ReplayMeter(watts, now_ns=lambda: clock["ns"]) if watts else NoMeter("none here")
    recorder = Recorder(meter)
    watcher = Watcher(PROCEDURE, recorder, 0, lambda line: None)
    for tenth in range(int(limit * 10)):
        clock["ns"] = tenth * 100_000_000
        recorder.readings.extend(meter.read())
        seconds = tenth / 10
        if watcher.enough(progress(seconds, tokens_at(seconds), int(seconds / answer_seconds))):
            return seconds
    return None


def test_a_steady_load_stops_after_the_shortest_window_once_every_slot_turned_over() -> None:
    assert stopped_after(lambda s: 100 * s) == pytest.approx(1 + 10.5, abs=0.2)


def test_with_long_answers_it_takes_the_long_window() -> None:
    assert stopped_after(lambda s: 100 * s, answer_seconds=8) == pytest.approx(8 + 20.5, abs=0.2)


def test_a_load_that_speeds_up_is_followed_until_it_is_steady() -> None:
    """Faster and faster for 15 s, then constant: the window needs a start late enough."""
    stopped = stopped_after(lambda s: s * s if s < 15 else 225 + 30 * (s - 15))
    assert stopped is not None
    assert stopped > 20


def test_a_load_that_never_settles_is_not_stopped_before_its_limit() -> None:
    assert stopped_after(lambda s: s * s * s) is None


def test_power_must_be_steady_too() -> None:
    assert stopped_after(lambda s: 100 * s, watts=lambda s: 400.0) == pytest.approx(11.5, abs=0.3)
    assert stopped_after(lambda s: 100 * s, watts=lambda s: 100 + 20 * s, limit=40) is None


def test_energy_per_token_must_be_precise() -> None:
    """Bursts of tokens against constant power: too uncertain at first, better with time."""
    noisy = stopped_after(lambda s: 100 * s + 30 * (int(s / 1.3) % 2), watts=lambda s: 400.0)
    assert noisy is not None
    assert noisy > 12


def test_a_load_that_fails_is_stopped_at_once() -> None:
    watcher = Watcher(PROCEDURE, Recorder(NoMeter("none")), 0, lambda line: None)
    assert not watcher.enough(progress(1, 10, 0, failed=10))
    assert watcher.enough(progress(2, 10, 0, failed=11))


def test_a_starved_view_of_the_load_is_not_believed() -> None:
    """One snapshot in two seconds: whatever happened between them cannot be seen."""
    watcher = Watcher(PROCEDURE, Recorder(NoMeter("none")), 0, lambda line: None)
    seen = [watcher.enough(progress(2 * i, 200 * i, 2 * i)) for i in range(1, 19)]
    assert not any(seen)
