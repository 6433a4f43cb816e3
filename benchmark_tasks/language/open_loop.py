"""One run in an open loop: requests arrive by themselves, or none at all; the server keeps up or does not.

The schedule of arrivals is drawn beforehand. How many requests are under way is a result here, not a setting,
so a load cannot begin in its stationary state; it has reached it once the longest answer's time has passed,
because then nothing depends on the empty server that it began with. From there on the window is one of time:
requests arrive at both of its edges.

A load that the server cannot carry is a result (`Arrivals.sustained` is false). It is known by its backlog
(`backlog.py`), or by so many requests at once that no burst explains them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np

from benchmark_tasks.client.arrivals import OpenLoop
from benchmark_tasks.client.events import Events
from benchmark_tasks.client.latency import latency_of
from benchmark_tasks.client.load import Progress
from benchmark_tasks.errors import MeterError
from benchmark_tasks.language.backlog import GROWTH_SHARE, Backlog, arrivals_of, backlog_between
from benchmark_tasks.language.idle import POLL_SECONDS, wait_quietly
from benchmark_tasks.language.measurement import (
    Bench,
    Seen,
    answers_of,
    joined,
    offer,
    read_instruments,
    requests_of,
    server_record,
    warm_up,
    with_sub_windows,
)
from benchmark_tasks.language.sleeping import measure_sleep
from benchmark_tasks.language.stopping import FAILED_SHARE_LIMIT, FEWEST_FAILURES, SAY_SECONDS
from benchmark_tasks.language.windows import sub_window_edges, tokens_in
from benchmark_tasks.language.witness import generated_so_far
from benchmark_tasks.measuring.instruments import device_during, phase, with_energy
from benchmark_tasks.measuring.session import PointResult
from benchmark_tasks.measuring.steadiness import candidate_starts, mean_watts, relative_drift
from benchmark_tasks.meters.energy import EnergyCurve, energy_between, energy_curve
from benchmark_tasks.meters.meter import Recorder
from benchmark_tasks.plan.procedure import Procedure
from benchmark_tasks.results.identity import Load
from benchmark_tasks.results.schema import Arrivals, Window
from benchmark_tasks.runtimes.server import QUIET_SECONDS
from benchmark_tasks.statistics import ratio_interval

DRAIN_SECONDS = 120.0
"""So long answers that are under way when the load stops have to end; then they are cancelled."""


def measure_load(bench: Bench, load: Load) -> PointResult:
    """Warm up, let requests arrive as `load` says, and evaluate what was recorded.

    Raises:
        ServerDied, LoadError
    """
    bench.say(f"{load.load_label}: warming up")
    device_mark, begun = bench.devices.mark(), time.perf_counter_ns()
    warm_up(bench, load.batch_size)
    warmed = time.perf_counter_ns()
    seen, arrivals = _let_arrive(bench, load) if load.request_rate else _stay_idle(bench)
    ended = time.perf_counter_ns()
    sleeps = tuple(measure_sleep(bench, level) for level in bench.sleep_levels)
    window, reason = with_energy(seen.steady, seen.timeline, bench.devices)
    window = with_sub_windows(window, seen.events, seen.timeline, bench.procedure.sub_windows)
    return PointResult(
        requests=requests_of(seen.events, bench.length_control, seen.lasted_seconds),
        window_steady=window,
        energy_absent_reason=reason,
        latency=latency_of(seen.events, counted_for_latency(seen.events, window))
        if arrivals.arrived
        else None,
        device=device_during(seen.timeline, window),
        server=server_record(bench, seen, window),
        client=seen.client,
        arrivals=arrivals,
        sleeps=sleeps,
        **answers_of(bench, seen.events, seen.answers),
        request_rows=seen.events.rows(bench.procedure.kept_chunk_requests),
        timeline=joined(seen.timeline, seen.metrics),
        phases=(
            phase("warm-up", begun, warmed, bench.devices, device_mark),
            phase("measure", warmed, ended, bench.devices, device_mark),
        ),
    )


def counted_for_latency(events: Events, window: Window) -> np.ndarray | None:
    """Mask of the requests that were sent in the window; `None` without a window."""
    if window.start_seconds is None or window.end_seconds is None:
        return None
    return events.sent_between(window.start_seconds, window.end_seconds)


def _let_arrive(bench: Bench, load: Load) -> tuple[Seen, Arrivals]:
    procedure = bench.procedure
    assert load.request_rate and load.burstiness
    offered = offer(
        bench,
        OpenLoop(load.request_rate, load.burstiness),
        lambda mark: OpenWatcher(procedure, load.most_under_way, bench.devices, mark, bench.say),
        drain_seconds=min(DRAIN_SECONDS, procedure.maximum_seconds),
    )
    events, timeline = offered.outcome.events, offered.read.timeline
    window, backlog = open_window(
        events, offered.outcome.stopped_seconds, energy_curve(timeline), procedure, load.burstiness
    )
    late = (events.sent_seconds - events.due_seconds)[~events.cancelled]
    reason = _why_not_sustained(backlog, offered.watcher.jammed)
    edges = window.start_seconds, window.end_seconds
    return offered.seen(window), arrivals_of(events.due_seconds, late, *edges, backlog, reason)


def _why_not_sustained(backlog: Backlog, jammed: int | None) -> str | None:
    """jammed: how many were under way when the load was given up for it."""
    if jammed is not None:
        return f"{jammed} requests were waiting or being answered"
    return f"the backlog grows by {backlog.growth_per_second:.2g} requests/s" if backlog.grows else None


def open_window(
    events: Events,
    stopped_seconds: float,
    energy: EnergyCurve | None,
    procedure: Procedure,
    burstiness: float,
) -> tuple[Window, Backlog]:
    """The window of a load at a rate, and the backlog over it.

    It begins once the longest answer's time has passed (at the latest in the middle of the load) and ends
    when requests stopped arriving. If more requests ended than arrived, it began behind a jam, and later
    starts are tried. A backlog that grows is no reason to look further: it is the result.
    """
    done = events.completed & (events.finished_seconds <= stopped_seconds)
    took = (events.finished_seconds - events.sent_seconds)[done]
    earliest = min(float(took.max(initial=0.0)), stopped_seconds / 2)
    tried: list[tuple[Window, Backlog]] = []
    for start in candidate_starts(earliest, stopped_seconds):
        backlog = backlog_between(
            events.sent_seconds, events.finished_seconds, start, stopped_seconds, burstiness
        )
        window = _described(events, start, stopped_seconds, energy, procedure, backlog)
        if window.settled:
            return window, backlog
        tried.append((window, backlog))
    return tried[0]


def _described(
    events: Events,
    start: float,
    end: float,
    energy: EnergyCurve | None,
    procedure: Procedure,
    backlog: Backlog,
) -> Window:
    edges = sub_window_edges(start, end, procedure.sub_windows)
    watts = mean_watts(list(pairwise(edges)), energy)
    ended = (events.finished_seconds > start) & (events.finished_seconds <= end) & events.completed
    tokens, seconds, reason = events.tokens_between(start, end), end - start, None
    if seconds < procedure.minimum_window_seconds:
        reason = f"only {seconds:.1f} s of the {procedure.minimum_window_seconds:g} s a window needs"
    elif not tokens:
        reason = f"no output in {seconds:.1f} s"
    elif backlog.falls:
        reason = f"the backlog falls by {-backlog.growth_per_second:.2g} requests/s across the window"
    return Window(
        settled=reason is None,
        reason=None if reason is None else f"never settled: {reason}",
        start_seconds=None if reason else start,
        end_seconds=None if reason else end,
        output_tokens=None if reason else tokens,
        completed_requests=None if reason else int(ended.sum()),
        mean_running_requests=None if reason else backlog.mean,
        throughput_trend=None if reason else relative_drift(tokens_in(events, edges)),
        power_trend=None if reason or watts is None else relative_drift(watts),
    )


def _stay_idle(bench: Bench) -> tuple[Seen, Arrivals]:
    """A window without requests, the model loaded."""
    procedure = bench.procedure
    bench.server.wait_until_idle(max(procedure.maximum_seconds, QUIET_SECONDS))
    before = generated_so_far(bench.server)
    marks, origin_ns = (bench.devices.mark(), bench.metrics.mark()), time.perf_counter_ns()
    window, lasted = wait_quietly(bench, origin_ns, marks[0])
    nothing = replace(Events.from_traces([]), origin_ns=origin_ns)
    read = read_instruments(bench, marks, nothing, lasted, before)
    seen = Seen(
        events=nothing,
        lasted_seconds=lasted,
        timeline=read.timeline,
        metrics=read.metrics,
        generated=read.generated,
        steady=window,
    )
    return seen, Arrivals(
        scheduled=0,
        arrived=0,
        mean_backlog=0.0,
        backlog_growth_per_second=0.0,
        busy_share=0.0,
        sustained=True,
    )


class OpenWatcher:
    """Follows one load at a rate; `enough` says when it may stop. The exact window is found afterwards.

    jammed: how many requests were under way when the load was given up, if it was.
    """

    def __init__(
        self,
        procedure: Procedure,
        most_under_way: int,
        devices: Recorder,
        since: int,
        say: Callable[[str], None],
    ) -> None:
        self._procedure, self._most, self._devices, self._since = procedure, most_under_way, devices, since
        self._say, self._said = say, -SAY_SECONDS
        self._at: list[float] = []
        self._tokens: list[float] = []
        self._under_way: list[int] = []
        self._sent: list[int] = []
        self.jammed: int | None = None

    def enough(self, progress: Progress) -> bool:
        """True once the load may stop: too many failures, a jam, or long enough and precise."""
        if progress.failed > max(FEWEST_FAILURES, FAILED_SHARE_LIMIT * progress.sent):
            return True
        self._at.append(progress.at_ns / 1e9)
        self._tokens.append(progress.tokens)
        self._under_way.append(progress.under_way)
        self._sent.append(progress.sent)
        self._tell(progress)
        if progress.under_way > self._most:
            self.jammed = progress.under_way
            return True
        begin = self._at[0] + progress.longest_seconds
        needed = self._procedure.long_window_seconds * (2 if self._grows(begin) else 1)
        return self._at[-1] - begin >= needed and self._is_precise(begin)

    def _grows(self, begin: float) -> bool:
        """Whether so many requests stay that a longer look is needed to know what they mean."""
        first = min(int(np.searchsorted(self._at, begin)), len(self._at) - 1)
        under_way, third = np.array(self._under_way[first:]), (len(self._at) - first) // 3
        arrived = self._sent[-1] - self._sent[first]
        if not third or not arrived:
            return False
        growth = (under_way[-third:].mean() - under_way[:third].mean()) * 1.5
        return bool(growth > GROWTH_SHARE * arrived)

    def _is_precise(self, begin: float) -> bool:
        target = self._procedure.target_relative_interval
        if target is None or not self._devices.meter.gpus:
            return True
        edges = sub_window_edges(begin, self._at[-1] - 2 * POLL_SECONDS, self._procedure.sub_windows)
        timeline = self._devices.timeline(0, self._since)
        try:
            joules = [energy_between(timeline, a, b).counter_joules for a, b in pairwise(edges)]
        except MeterError:
            return False
        interval = ratio_interval(joules, np.diff(np.interp(edges, self._at, self._tokens)))
        return interval is not None and interval <= target

    def _tell(self, progress: Progress) -> None:
        seconds = self._at[-1] - self._at[0]
        if seconds >= self._said + SAY_SECONDS:
            self._said = int(seconds)
            self._say(
                f"  arriving for {seconds:.0f} s, {progress.finished} answers, {progress.under_way} under way"
            )
