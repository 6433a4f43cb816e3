"""One run on a healthy server: offer load, find the windows, read the energy, summarise."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

from benchmark_tasks.client.arrivals import Arrivals, ClosedLoop
from benchmark_tasks.client.events import Events
from benchmark_tasks.client.kept_answers import WholeAnswer
from benchmark_tasks.client.latency import latency_of
from benchmark_tasks.client.load import LoadSpec, Progress
from benchmark_tasks.client.load_processes import CombinedOutcome, run_in_processes
from benchmark_tasks.errors import LoadError, ServerDied
from benchmark_tasks.language.answers import Kept, graded_and_kept
from benchmark_tasks.language.stopping import FAILED_SHARE_LIMIT, Watcher
from benchmark_tasks.language.windows import mlenergy_window, steady_window, sub_window_edges, tokens_in
from benchmark_tasks.language.witness import Generated, between, generated_so_far, require_agreement
from benchmark_tasks.measuring.instruments import device_during, phase, statistic_of, with_energy
from benchmark_tasks.measuring.session import PointResult
from benchmark_tasks.meters.energy import energy_curve, parts_between
from benchmark_tasks.meters.meter import Recorder, Timeline
from benchmark_tasks.meters.server_use import gained, preprocessing_ms
from benchmark_tasks.plan.procedure import Procedure
from benchmark_tasks.results.schema import Client, Requests, Server, Window
from benchmark_tasks.results.tables import Series
from benchmark_tasks.runtimes.server import QUIET_SECONDS, RunningServer
from benchmark_tasks.vocabulary import LengthControl
from benchmark_tasks.workloads.requests import NamedRequestSet

DEATH_NOTICE_SECONDS = 2.0
_LOAD_COUNTERS = (Series.PREEMPTIONS, Series.PREFIX_CACHE_HITS, Series.MULTIMODAL_CACHE_HITS)
SHORTEST_SILENCE_SECONDS = 5.0
"""A busy machine may pause for seconds, however short a load is."""

FEWEST_GAUGE_SAMPLES = 20
"""Fewer samples of the server's own gauge say less than the client's exact record of what was in flight."""


@dataclass(frozen=True)
class Bench:
    """What a run needs of its surroundings: the server and the recorders around it.

    kept_answers, graded_answers: of how many requests, from the first on, the answer's text is kept, or
        graded after the load.
    sleep_levels: how deep an idle server is then put to sleep.
    """

    server: RunningServer
    devices: Recorder
    metrics: Recorder
    request_set: NamedRequestSet
    length_control: LengthControl
    procedure: Procedure
    say: Callable[[str], None]
    kept_answers: int = 0
    graded_answers: int = 0
    sleep_levels: tuple[int, ...] = ()


def measure_point(bench: Bench, batch_size: int) -> PointResult:
    """Warm up, offer load at `batch_size`, and evaluate what was recorded.

    Raises:
        ServerDied, LoadError
    """
    bench.say(f"batch {batch_size}: warming up")
    device_mark = bench.devices.mark()
    begun = time.perf_counter_ns()
    warm_up(bench, batch_size)
    warmed = time.perf_counter_ns()
    seen = _offer_load(bench, batch_size)
    for _ in range(1, bench.procedure.attempts):
        if seen.steady.settled or not seen.warm:
            break
        bench.say(f"  {seen.steady.reason}; measuring once more")
        seen = _offer_load(bench, batch_size)
    ended = time.perf_counter_ns()
    assert seen.mlenergy is not None
    events, parts = seen.events, bench.procedure.sub_windows
    mlenergy, _ = with_energy(seen.mlenergy, seen.timeline, bench.devices)
    steady, reason = with_energy(seen.steady, seen.timeline, bench.devices)
    mlenergy, steady = (
        with_sub_windows(window, events, seen.timeline, parts) for window in (mlenergy, steady)
    )
    return PointResult(
        requests=requests_of(events, bench.length_control, seen.lasted_seconds),
        **answers_of(bench, events, seen.answers),
        window_mlenergy=mlenergy,
        window_steady=steady,
        energy_absent_reason=reason,
        latency=latency_of(events),
        device=device_during(seen.timeline, steady),
        server=server_record(bench, seen, steady),
        client=seen.client,
        request_rows=events.rows(bench.procedure.kept_chunk_requests),
        timeline=joined(seen.timeline, seen.metrics),
        phases=(
            phase("warm-up", begun, warmed, bench.devices, device_mark),
            phase("measure", warmed, ended, bench.devices, device_mark),
        ),
    )


def warm_up(bench: Bench, batch_size: int) -> None:
    """One round of short answers at this batch size, never measured.

    Raises:
        ServerDied, LoadError
    """
    procedure = bench.procedure
    if procedure.warm_up_rounds == 0:
        return
    spec = LoadSpec(
        base_url=bench.server.base_url,
        key=bench.server.key,
        requests=bench.request_set.warm_up(procedure.warm_up_tokens),
        arrivals=ClosedLoop(batch_size, stationary_start=False),
        request_limit=batch_size * procedure.warm_up_rounds,
        silence_seconds=max(procedure.maximum_seconds, SHORTEST_SILENCE_SECONDS),
    )
    limit = procedure.maximum_seconds
    outcome = run_in_processes(spec, 1, lambda progress: False, limit, limit)
    raise_on_failures(bench, outcome.events, "warm-up")


@dataclass(frozen=True)
class Seen:
    """One load: what came of it, what the instruments read meanwhile, and the windows in it.

    lasted_seconds: from the first request to the last end. warm: whether it got past its beginning; a load
    that is too slow for that will be so again. generated: tokens of the whole load by the server's counter.
    client: `None` where nothing was sent. mlenergy: `None` in an open loop.
    """

    events: Events
    lasted_seconds: float
    timeline: Timeline
    metrics: Timeline
    generated: Generated
    steady: Window
    mlenergy: Window | None = None
    client: Client | None = None
    warm: bool = True
    answers: tuple[WholeAnswer, ...] = ()


def _offer_load(bench: Bench, batch_size: int) -> Seen:
    procedure, limit = bench.procedure, bench.procedure.request_limit
    offered = offer(
        bench,
        ClosedLoop(batch_size, stationary_start=procedure.stationary_start),
        lambda mark: Watcher(procedure, bench.devices, mark, bench.say),
        drain_seconds=procedure.maximum_seconds,
        request_limit=limit,
        drain=bench.length_control is LengthControl.NATURAL or limit is not None,
    )
    events, timeline, metrics = offered.outcome.events, offered.read.timeline, offered.read.metrics
    mlenergy = _with_server_batch(mlenergy_window(events, batch_size), metrics)
    steady = steady_window(events, offered.outcome.stopped_seconds, energy_curve(timeline), procedure)
    steady = _with_server_batch(steady, metrics)
    return offered.seen(steady, mlenergy, warm=offered.watcher.warm)


@dataclass(frozen=True)
class Readings:
    """What the instruments read during a load, and how many tokens the server counted over it."""

    timeline: Timeline
    metrics: Timeline
    generated: Generated


class Watching(Protocol):
    """Follows a load while it lasts."""

    def enough(self, progress: Progress) -> bool:
        """True once the load may stop."""


Watch = TypeVar("Watch", bound=Watching)


@dataclass(frozen=True)
class Offered(Generic[Watch]):
    """A load that is over. lasted_seconds: from the first request to the last end."""

    watcher: Watch
    outcome: CombinedOutcome
    lasted_seconds: float
    read: Readings

    def seen(self, steady: Window, mlenergy: Window | None = None, *, warm: bool = True) -> Seen:
        """The load with its windows."""
        return Seen(
            events=self.outcome.events,
            lasted_seconds=self.lasted_seconds,
            timeline=self.read.timeline,
            metrics=self.read.metrics,
            generated=self.read.generated,
            steady=steady,
            mlenergy=mlenergy,
            client=self.outcome.client,
            warm=warm,
            answers=self.outcome.answers,
        )


def offer(
    bench: Bench,
    arrivals: Arrivals,
    watching: Callable[[int], Watch],
    *,
    drain_seconds: float,
    request_limit: int | None = None,
    drain: bool = True,
) -> Offered[Watch]:
    """Offer load to a server at rest until what watches it has enough, and read the instruments.

    Args:
        watching: makes what watches the load, from the mark of the devices' recorder before it.
        drain_seconds: limit for what is in flight when the load stops.
        request_limit, drain: as in `LoadSpec`.

    Raises:
        ServerDied, LoadError
    """
    procedure = bench.procedure
    bench.server.wait_until_idle(max(procedure.maximum_seconds, QUIET_SECONDS))
    before = generated_so_far(bench.server)
    marks = bench.devices.mark(), bench.metrics.mark()
    spec = LoadSpec(
        base_url=bench.server.base_url,
        key=bench.server.key,
        requests=bench.request_set,
        arrivals=arrivals,
        seed=procedure.seed,
        request_limit=request_limit,
        drain=drain,
        # A load that was silent for half the time it may last does not settle in the other half.
        silence_seconds=max(procedure.maximum_seconds / 2, SHORTEST_SILENCE_SECONDS),
        read_answers=max(bench.kept_answers, bench.graded_answers),
    )
    watcher = watching(marks[0])

    def follow(progress: Progress) -> bool:
        bench.server.raise_if_dead()
        return watcher.enough(progress)

    outcome = run_in_processes(
        spec, procedure.client_processes, follow, procedure.maximum_seconds, drain_seconds
    )
    raise_on_failures(bench, outcome.events, "load")
    lasted = float(outcome.events.finished_seconds.max())
    return Offered(watcher, outcome, lasted, read_instruments(bench, marks, outcome.events, lasted, before))


def read_instruments(
    bench: Bench, marks: tuple[int, int], events: Events, lasted_seconds: float, before: Generated
) -> Readings:
    """Read on until the load's end is enclosed, and hold both counts of tokens against each other.

    Args:
        marks: of the recorders of devices and metrics, from before the load.
        lasted_seconds: from the first request to the last end.
        before: the server's counter before the load.

    Raises:
        ServerDied: another server process answers now.
        LoadError: client and server do not count the same tokens.
    """
    after = generated_at_rest(bench)
    bench.devices.wait_past(time.perf_counter_ns())
    bench.metrics.wait_past(events.origin_ns + int(lasted_seconds * 1e9))
    metrics = bench.metrics.timeline(events.origin_ns, marks[1])
    raise_if_restarted(metrics)
    generated = between(before, after)
    require_agreement(events, generated)
    return Readings(bench.devices.timeline(events.origin_ns, marks[0]), metrics, generated)


def generated_at_rest(bench: Bench) -> Generated:
    """The server's counter once it has come to rest.

    One that goes on with cancelled requests does not cost the load: it only keeps its counter to itself.

    Raises:
        ServerDied: it ended meanwhile, or does not answer any more.
    """
    if bench.server.running_requests(QUIET_SECONDS):
        bench.say(f"  the server still answers cancelled requests {QUIET_SECONDS:g} s after the load")
        return Generated(None, f"the server answered cancelled requests for over {QUIET_SECONDS:g} s")
    return generated_so_far(bench.server)


def raise_on_failures(bench: Bench, events: Events, during: str) -> None:
    """Refuse a load in which nothing was sent, or too much failed.

    Raises:
        ServerDied, LoadError
    """
    errors = events.failures()
    if not errors and len(events.request_index):
        return
    process = bench.server.process
    if process is not None:
        _wait_for_death(bench, DEATH_NOTICE_SECONDS)
    if not len(events.request_index):
        raise LoadError(f"no request was sent during {during}: is this machine busy? see driver.log")
    if len(errors) > FAILED_SHARE_LIMIT * len(events.errors):
        raise LoadError(
            f"{len(errors)} of {len(events.errors)} requests failed during {during}, "
            f"first: {errors[0]}; see server.log"
        )


def _wait_for_death(bench: Bench, seconds: float) -> None:
    """A dead server's connections break before its process can be reaped: give it a moment."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        bench.server.raise_if_dead()
        time.sleep(0.1)


def raise_if_restarted(metrics: Timeline) -> None:
    """Refuse a timeline in which another server process answers.

    Raises:
        ServerDied: fewer requests had ended, or fewer tokens, at one time than before.
    """
    counters = (metrics.of(series)[1] for series in (Series.FINISHED_REQUESTS, Series.GENERATED_TOKENS))
    if any(np.any(np.diff(values) < 0) for values in counters):
        raise ServerDied(
            "the server's counters went backwards: it was restarted while it was measured; measure again"
        )


def _with_server_batch(window: Window, metrics: Timeline) -> Window:
    """Prefer the server's own count of running requests to the client's view of them."""
    if window.start_seconds is None or window.end_seconds is None:
        return window
    inside = metrics.between(window.start_seconds, window.end_seconds)
    if len(inside.of(Series.RUNNING_REQUESTS)[0]) < FEWEST_GAUGE_SAMPLES:
        return window
    return window.model_copy(update={"mean_running_requests": inside.mean(Series.RUNNING_REQUESTS)})


def with_sub_windows(window: Window, events: Events, timeline: Timeline, parts: int) -> Window:
    """The window with its parts, as the stopping rule looked at them; unchanged without energy."""
    if window.energy is None or window.start_seconds is None or window.end_seconds is None:
        return window
    edges = sub_window_edges(window.start_seconds, window.end_seconds, parts)
    parted = parts_between(timeline, edges, tokens_in(events, edges))
    return window.model_copy(update={"sub_windows": parted})


def requests_of(events: Events, control: LengthControl, lasted_seconds: float) -> Requests:
    """Counts over the whole load."""
    completed, errors = events.completed, events.failures()
    whole = ~events.under_way if control is LengthControl.FIXED else completed
    lengths = events.max_tokens if control is LengthControl.FIXED else events.output_tokens
    prompts = events.prompt_tokens[completed]
    return Requests(
        sent=int(completed.sum()) + len(errors),
        completed=int(completed.sum()),
        failed=len(errors),
        cancelled=int(events.cancelled.sum()),
        mean_output_tokens=float(lengths[whole].mean()) if whole.any() else None,
        prompt_tokens=int(prompts.sum()) if prompts.all() else None,
        output_tokens=int(events.output_tokens[completed].sum()),
        at_length_cap=int((events.at_length_cap & completed).sum())
        if control is LengthControl.NATURAL
        else 0,
        duration_seconds=lasted_seconds,
        first_error=errors[0] if errors else None,
    )


def answers_of(bench: Bench, events: Events, answers: Sequence[WholeAnswer]) -> Kept:
    """The grades, and the rows of `answers.parquet`; said in the log. The load is over by then."""
    result = graded_and_kept(
        bench.request_set, events, answers, kept=bench.kept_answers, graded=bench.graded_answers > 0
    )
    if bench.kept_answers:
        count = sum(row["text"] is not None for row in result["answer_rows"] or ())
        bench.say(f"  {count} answers of the first {bench.kept_answers} requests are kept in the bundle")
    if (grades := result["grades"]) is not None:
        bench.say(
            f"  {grades.right} of {grades.answers} answers are right; {grades.unreadable} unreadable and"
            f" {grades.cut} cut ones count as wrong"
        )
    return result


def server_record(bench: Bench, seen: Seen, window: Window) -> Server:
    """What the server said of itself."""
    events = seen.events
    inside = metrics = seen.metrics
    if window.start_seconds is not None and window.end_seconds is not None:
        inside = metrics.between(window.start_seconds, window.end_seconds)
    counters = {series: increase(metrics, series, seen.lasted_seconds) for series in _LOAD_COUNTERS}
    return Server(
        session_id=bench.server.session_id,
        metric_samples=len(inside.of(Series.RUNNING_REQUESTS)[0]),
        max_kv_cache_usage=statistic_of(np.max, inside.of(Series.KV_CACHE_USAGE)[1]),
        mean_kv_cache_usage=inside.mean(Series.KV_CACHE_USAGE),
        mean_preprocessing_ms=preprocessing_ms(metrics, window),
        cpu_seconds=gained(metrics, Series.SERVER_CPU_SECONDS, window),
        frontend_cpu_seconds=gained(metrics, Series.FRONTEND_CPU_SECONDS, window),
        **{series.value: count for series, count in counters.items()},
        counters_absent_reason=_why_absent(counters, metrics, bench.metrics.failures),
        received_tokens=int(events.output_tokens.sum()),
        generated_tokens=seen.generated.tokens,
        generated_tokens_in_window=gained(metrics, Series.GENERATED_TOKENS, window),
        generated_tokens_absent_reason=seen.generated.absent_reason,
        drafts_in_window=gained(metrics, Series.DRAFTS, window),
        accepted_tokens_in_window=gained(metrics, Series.ACCEPTED_TOKENS, window),
    )


def increase(metrics: Timeline, series: Series, load_seconds: float) -> int | None:
    """By how much a counter grew over the whole load; `None` where readings do not enclose it.

    Unknown is not zero: readings of before the load alone would say that nothing happened in it.
    """
    seconds, values = metrics.of(series)
    before = int(np.searchsorted(seconds, 0.0, side="right")) - 1
    if before < 0 or seconds[-1] < load_seconds or np.any(np.diff(values[before:]) < 0):
        return None
    return int(values[-1] - values[before])


def _why_absent(
    counters: Mapping[Series, int | None], metrics: Timeline, failures: Sequence[str]
) -> str | None:
    """Why some of the counters are not known; `None` when all are."""
    unknown = [series for series, count in counters.items() if count is None]
    missing = [series for series in unknown if not len(metrics.of(series)[0])]
    if not unknown:
        return None
    if len(metrics.seconds) and missing == unknown:
        return f"the server's /metrics does not have {', '.join(unknown)}"
    last = f": {failures[-1]}" if failures else ""
    return f"the server's /metrics was not read throughout the load, or {', '.join(unknown)} fell{last}"


def joined(a: Timeline, b: Timeline) -> Timeline:
    """Both timelines in one."""
    return Timeline(
        np.concatenate([a.series, b.series]),
        np.concatenate([a.gpu_index, b.gpu_index]),
        np.concatenate([a.seconds, b.seconds]),
        np.concatenate([a.values, b.values]),
    )
