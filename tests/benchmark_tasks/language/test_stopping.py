"""The stopping rule on made-up progress: no server, no clock."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from benchmark_tasks.client.connection import CANCELLED, Trace
from benchmark_tasks.client.events import Events
from benchmark_tasks.client.load import Progress
from benchmark_tasks.language.stopping import Watcher
from benchmark_tasks.language.windows import steady_window
from benchmark_tasks.meters.energy import energy_curve
from benchmark_tasks.meters.meter import NoMeter, Recorder
from benchmark_tasks.plan.procedure import Procedure
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
        turnovers=(turnovers,) * 4,
    )


def stopped_after(
    tokens_at: Callable[[float], float],
    answer_seconds: float = 1.0,
    watts: Callable[[float], float] | None = None,
    limit: float = 120.0,
    turnovers_at: Callable[[float], int] | None = None,
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
        turnovers = turnovers_at(seconds) if turnovers_at else int(seconds / answer_seconds)
        if watcher.enough(progress(seconds, tokens_at(seconds), turnovers)):
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
    assert stopped > 12


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


def test_turnovers_count_from_where_the_window_would_begin() -> None:
    """Every slot turned over while the load still sped up; the answers of the steady part are long."""

    def speeding(seconds: float) -> float:
        return seconds * seconds if seconds < 15 else 225 + 30 * (seconds - 15)

    all_along = stopped_after(speeding)
    only_early = stopped_after(speeding, turnovers_at=lambda seconds: int(min(seconds, 15)))
    assert all_along is not None and only_early is not None
    assert only_early >= all_along + 5


def load_of(seed: int, slots: int = 6, seconds: float = 120.0) -> list[Trace]:
    """Answers of very different lengths, all begun at once, written at a pace that wanders."""
    random = np.random.default_rng(seed)
    pace = 1 + 0.25 * np.cumsum(random.normal(0, 0.12, int(seconds)))  # tokens a 20 ms, second by second
    traces: list[Trace] = []
    for slot in range(slots):
        at = 0.0
        while at < seconds:
            trace = Trace(len(traces), slot, max_tokens=max(5, int(random.lognormal(4.5, 0.9))))
            trace.under_way, trace.sent_ns = at == 0.0, int(at * 1e9) + 1
            while trace.output_tokens < trace.max_tokens and at < seconds:
                at += 0.02 / float(np.clip(pace[min(int(at), len(pace) - 1)], 0.5, 2.0))
                trace.arrival_ns.append(int(at * 1e9) + 1)
                trace.arrival_tokens.append(1)
                trace.output_tokens += 1
            trace.finished_ns = int(at * 1e9) + 2
            traces.append(trace)
    return traces


def seen_at(traces: list[Trace], seconds: float, slots: int) -> Progress:
    """What the load generator would report of them."""
    now = int(seconds * 1e9)
    begun = [trace for trace in traces if trace.sent_ns <= now]
    ended = [trace.slot for trace in begun if trace.finished_ns <= now]
    first = {trace.slot for trace in begun if trace.arrival_ns[0] <= now}
    return Progress(
        at_ns=now,
        slots=slots,
        warm=len(first) == slots,
        sent=len(begun),
        finished=len(ended),
        failed=0,
        tokens=sum(int(np.searchsorted(trace.arrival_ns, now, side="right")) for trace in begun),
        turnovers=tuple(ended.count(slot) for slot in range(slots)),
    )


def cut(traces: list[Trace], seconds: float) -> Events:
    """What is recorded of them when the load stops: what is in flight is cancelled."""
    now, kept = int(seconds * 1e9), []
    for trace in traces:
        if trace.sent_ns <= now:
            arrived = [at for at in trace.arrival_ns if at <= now]
            done = trace.finished_ns <= now
            made = Trace(trace.index, trace.slot, trace.max_tokens, trace.under_way, trace.sent_ns)
            made.finished_ns = min(trace.finished_ns, now)
            made.arrival_ns, made.arrival_tokens = arrived, [1] * len(arrived)
            made.output_tokens, made.error = len(arrived), None if done else CANCELLED
            kept.append(made)
    return Events.from_traces([(0, one) for one in kept])


def noisy_watts(random: np.random.Generator) -> Callable[[float], float]:
    """A load whose power scatters."""
    return lambda seconds: 500 + random.normal(0, 50)


def test_what_is_stopped_as_settled_has_settled_when_every_token_is_known() -> None:
    """Loads whose pace wanders and whose power jumps, as with pictures."""
    procedure = PROCEDURE.model_copy(update={"target_relative_interval": 0.1})
    stopped, unsettled = 0, []
    for seed in range(24):
        traces, clock, random = load_of(seed), {"ns": 0}, np.random.default_rng(seed)
        meter = ReplayMeter(noisy_watts(random), now_ns=partial(clock.__getitem__, "ns"))
        recorder = Recorder(meter)
        watcher = Watcher(procedure, recorder, 0, lambda line: None)
        for tenth in range(1200):
            clock["ns"] = tenth * 100_000_000
            recorder.readings.extend(meter.read())
            if tenth % 5 == 0 and watcher.enough(seen_at(traces, tenth / 10, slots=6)):
                stopped += 1
                clock["ns"] += 100_000_000
                recorder.readings.extend(meter.read())
                curve = energy_curve(recorder.timeline(0))
                window = steady_window(cut(traces, tenth / 10), tenth / 10, curve, procedure)
                unsettled += [] if window.settled else [f"{seed} at {tenth / 10} s: {window.reason}"]
                break
    assert stopped > 12
    assert unsettled == []
