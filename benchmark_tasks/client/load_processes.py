"""Runs a load in one or more processes and merges what they saw.

The load generator always has processes of its own: neither the meters nor the driver can delay
its time stamps. A worker whose parent dies reads end-of-file on its pipe and ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing as mp
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain
from multiprocessing.connection import Connection, wait

import uvloop

from benchmark_tasks.client.arrivals import OpenLoop
from benchmark_tasks.client.events import Events
from benchmark_tasks.client.kept_answers import WholeAnswer, whole_answers
from benchmark_tasks.client.load import Load, LoadOutcome, LoadSpec, Progress, lag_quantiles
from benchmark_tasks.errors import LoadError
from benchmark_tasks.processes import die_with_parent
from benchmark_tasks.results.schema import Client

START_SECONDS = 120.0
"""A machine that needs longer to start the load generator's processes cannot measure."""

DRAIN_SECONDS = 600.0
CANCEL_SECONDS = 30.0
"""So long the processes have to give up what is in flight."""
BEGIN_NS = 500_000_000
"""From the moment at which all processes are ready, until the schedule of an open loop begins."""
_READY, _STOP, _CANCEL = "ready", "stop", "cancel"
_NOT_STARTED = f"the load generator did not start within {START_SECONDS:g} s: is the machine busy?"
LAG_LIMIT_MS = 20.0
CPU_SHARE_LIMIT = 0.8


@dataclass(frozen=True)
class CombinedOutcome:
    """The merged events of all processes and what the load generator itself cost.

    `stopped_seconds`: when load stopped being offered, seconds since the first request.
    `answers`: the complete ones whose text was asked for, in the order of their requests.
    """

    events: Events
    client: Client
    stopped_seconds: float
    answers: tuple[WholeAnswer, ...] = ()


def run_in_processes(
    spec: LoadSpec,
    processes: int,
    on_progress: Callable[[Progress], bool],
    deadline_seconds: float,
    drain_seconds: float = DRAIN_SECONDS,
) -> CombinedOutcome:
    """Offer `spec` from `processes` processes until it ends or `on_progress` returns True.

    Args:
        on_progress: called with the combined progress a few times per second; True means stop.
        deadline_seconds: limit for offering load, from the moment when every process offers it.
        drain_seconds: limit for what is in flight then. In an open loop, what has not ended by then is
            cancelled.

    Raises:
        LoadError: the server went silent, a process died or did not start, a closed loop did not drain in
            time.
    """
    context = mp.get_context("spawn")
    pipes: list[Connection] = []
    workers = []
    for process in range(processes):
        ours, theirs = context.Pipe()
        worker = context.Process(
            target=_work, args=(theirs, replace(spec, process=process, processes=processes)), daemon=True
        )
        worker.start()
        theirs.close()
        pipes.append(ours)
        workers.append(worker)
    try:
        opened = isinstance(spec.arrivals, OpenLoop)
        if opened:
            _begin_together(pipes)
        outcomes = _follow(pipes, on_progress, deadline_seconds, drain_seconds, cancels=opened)
    finally:
        for worker in workers:
            worker.join(5)
            if worker.is_alive():
                worker.kill()
    traces = [(p, trace) for p, outcome in enumerate(outcomes) for trace in outcome.traces]
    events = Events.from_traces(traces)
    stopped_ns = min(outcome.stopped_ns for outcome in outcomes)
    stopped_seconds = (stopped_ns - events.origin_ns) / 1e9
    answers = whole_answers(trace for _, trace in traces)
    return CombinedOutcome(events, _client_record(outcomes), stopped_seconds, answers)


def _follow(
    pipes: list[Connection],
    on_progress: Callable[[Progress], bool],
    deadline_seconds: float,
    drain_seconds: float,
    *,
    cancels: bool,
) -> list[LoadOutcome]:
    latest: dict[int, Progress] = {}
    outcomes: dict[int, LoadOutcome] = {}
    begun, stopping, deadline = False, False, time.monotonic() + START_SECONDS
    while len(outcomes) < len(pipes):
        waiting = [pipe for i, pipe in enumerate(pipes) if i not in outcomes]
        for pipe in wait(waiting, timeout=1.0):
            i = pipes.index(pipe)  # type: ignore[arg-type]
            try:
                message = pipes[i].recv()
            except EOFError as error:
                raise LoadError(f"load generator process {i} died; see driver.log") from error
            if isinstance(message, LoadOutcome):
                outcomes[i] = message
            elif isinstance(message, Progress):
                latest[i] = message
            elif isinstance(message, LoadError):
                raise message
            else:
                raise LoadError(f"load generator process {i} failed: {message}")
        if not begun and len({*latest, *outcomes}) == len(pipes):
            begun, deadline = True, time.monotonic() + deadline_seconds
        late = time.monotonic() > deadline
        if late and stopping and cancels:
            late, cancels, deadline = False, False, time.monotonic() + CANCEL_SECONDS
            _tell_all(pipes, _CANCEL)
        if late and (stopping or not begun):
            raise LoadError(_not_drained(list(latest.values()), drain_seconds) if begun else _NOT_STARTED)
        wants_stop = (
            len(latest) == len(pipes) and not stopping and on_progress(_combined(list(latest.values())))
        )
        if not stopping and (wants_stop or late):
            stopping, deadline = True, time.monotonic() + drain_seconds
            _tell_all(pipes, _STOP)
    return [outcomes[i] for i in range(len(pipes))]


def _begin_together(pipes: list[Connection]) -> None:
    """Wait until every process is ready, then tell all of them the same instant to begin at.

    Raises:
        LoadError: one is not ready in time, or has died.
    """
    deadline = time.monotonic() + START_SECONDS
    for i, pipe in enumerate(pipes):
        try:
            if not pipe.poll(max(deadline - time.monotonic(), 0)):
                raise LoadError(_NOT_STARTED)
            pipe.recv()
        except EOFError as error:
            raise LoadError(f"load generator process {i} died; see driver.log") from error
    _tell_all(pipes, time.perf_counter_ns() + BEGIN_NS)


def _not_drained(latest: list[Progress], seconds: float) -> str:
    progress = _combined(latest)
    left = progress.sent - progress.finished
    return (
        f"{left} of {progress.sent} answers had not ended {seconds:g} s after the load: they take too long "
        "on this machine; measure prescribed lengths (--length fixed)"
    )


def _tell_all(pipes: list[Connection], order: str | int) -> None:
    for pipe in pipes:
        with contextlib.suppress(OSError):  # it has just finished by itself; its outcome is on the way
            pipe.send(order)


def _combined(parts: list[Progress]) -> Progress:
    return Progress(
        at_ns=max(part.at_ns for part in parts),
        slots=sum(part.slots for part in parts),
        warm=all(part.warm for part in parts),
        sent=sum(part.sent for part in parts),
        finished=sum(part.finished for part in parts),
        failed=sum(part.failed for part in parts),
        tokens=sum(part.tokens for part in parts),
        turnovers=tuple(chain.from_iterable(part.turnovers for part in parts)),
        longest_seconds=max(part.longest_seconds for part in parts),
        done=all(part.done for part in parts),
    )


def _work(pipe: Connection, spec: LoadSpec) -> None:
    """Body of a worker process."""
    die_with_parent()
    try:
        if isinstance(spec.arrivals, OpenLoop):
            spec.requests.request(spec.process)  # the first one loads what all of them need
            pipe.send(_READY)
            spec = replace(spec, begin_ns=pipe.recv())
        outcome = uvloop.run(_run_until_told(pipe, spec))
    except LoadError as error:
        pipe.send(error)
        return
    except Exception as error:  # noqa: BLE001  the parent reports it
        pipe.send(f"{type(error).__name__}: {error}")
        return
    pipe.send(outcome)


async def _run_until_told(pipe: Connection, spec: LoadSpec) -> LoadOutcome:
    load = Load(spec, pipe.send)
    loop = asyncio.get_running_loop()

    def listen() -> None:
        with contextlib.suppress(EOFError):
            while pipe.recv() != _CANCEL:
                loop.call_soon_threadsafe(load.stop)
            loop.call_soon_threadsafe(load.cancel)
            return
        loop.call_soon_threadsafe(load.stop)

    threading.Thread(target=listen, daemon=True).start()
    return await load.run()


def _client_record(outcomes: list[LoadOutcome]) -> Client:
    cpu_seconds = sum(outcome.cpu_seconds for outcome in outcomes)
    busiest = max(outcome.cpu_seconds / max(outcome.wall_seconds, 1e-9) for outcome in outcomes)
    p99, worst = lag_quantiles([lag for outcome in outcomes for lag in outcome.loop_lag_ms])
    return Client(
        processes=len(outcomes),
        cpu_seconds=cpu_seconds,
        cpu_share=busiest,
        loop_lag_p99_ms=p99 if p99 is None else max(p99, 0.0),
        loop_lag_max_ms=worst if worst is None else max(worst, 0.0),
        lagged=busiest > CPU_SHARE_LIMIT or (p99 is not None and p99 > LAG_LIMIT_MS),
    )
