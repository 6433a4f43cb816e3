"""The load of one process: slots (or arrivals) that keep asking until told to stop."""

from __future__ import annotations

import asyncio
import gc
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from benchmark_tasks.client.address import Address, refused_certificate
from benchmark_tasks.client.arrivals import Arrivals, ClosedLoop, OpenLoop
from benchmark_tasks.client.connection import CANCELLED, StreamingConnection, Trace
from benchmark_tasks.errors import LoadError
from benchmark_tasks.workloads.requests import Request, RequestSet
from benchmark_tasks.workloads.stationary import UnderWay, stationary_state

PROGRESS_PERIOD_SECONDS = 0.25
LAG_PERIOD_SECONDS = 0.01
PREPARED_AHEAD = 64
"""How many requests of an open loop are made before they are due: making one takes up to a millisecond."""
_SPARE_NS = 2_000_000
"""With less time than this until the next arrival, nothing is prepared."""


@dataclass(frozen=True)
class LoadSpec:
    """What one load generator does.

    base_url: `http://host:port` of the server. key: bearer token, if the server requires one.
    request_limit: stop by itself after so many requests in all processes; `None` runs until stopped.
    stall_seconds: a request that gets no token for so long has failed.
    silence_seconds: a load in which no request gets one for so long is given up; so is a connection
        that is not made by then.
    drain: finish what is in flight when the load stops; otherwise it is cancelled. Natural answer
        lengths need the drain (or long answers would be missing); prescribed ones do not.
    read_answers: of how many requests, from the first on, the answer's text is given back.
    process, processes: this process's place; it serves every `processes`-th slot and request.
    begin_ns: when the schedule of an open loop begins, the same for all processes (CLOCK_MONOTONIC); `None`:
        at once.
    """

    base_url: str
    requests: RequestSet
    arrivals: Arrivals
    seed: int = 0
    request_limit: int | None = None
    stall_seconds: float = 120.0
    silence_seconds: float = 120.0
    drain: bool = True
    read_answers: int = 0
    process: int = 0
    processes: int = 1
    begin_ns: int | None = None
    key: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Progress:
    """A snapshot of a running load.

    warm: every slot is at work and the load is past its beginning. With a stationary start that is
        when each has its first token; otherwise when as many answers have ended as there are slots.
    turnovers: how many answers each slot has completed; an open loop has no slots, and is warm at once.
    longest_seconds: the longest time that a completed answer took.
    """

    at_ns: int
    slots: int
    warm: bool
    sent: int
    finished: int
    failed: int
    tokens: int
    turnovers: tuple[int, ...]
    longest_seconds: float = 0.0
    done: bool = False

    @property
    def under_way(self) -> int:
        """Requests that were sent and have not ended."""
        return self.sent - self.finished


@dataclass
class LoadOutcome:
    """All traces of one process, and what producing them cost it."""

    traces: list[Trace] = field(default_factory=list)
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    loop_lag_ms: list[float] = field(default_factory=list)
    stopped_ns: int = 0


class Load:
    """Runs a `LoadSpec` on the current event loop."""

    def __init__(self, spec: LoadSpec, report: Callable[[Progress], None] = lambda progress: None) -> None:
        self._spec = spec
        self._report = report
        self._stopping = asyncio.Event()
        self._traces: list[Trace] = []
        self._in_flight: dict[StreamingConnection, Trace] = {}
        self._slot_turnovers: dict[int, int] = {}
        self._begun: set[int] = set()
        self._stationary = False
        self._prescribed = spec.requests.answer_lengths is not None
        self._finished = _Finished()
        self._next_index = spec.process
        self._stopped_ns = 0
        self._silent = self._cancelled = False
        self._lag_ms: list[float] = []
        self._address = Address.of(spec.base_url, spec.key)

    def stop(self) -> None:
        """Send no further request; those in flight are completed or cancelled (`LoadSpec.drain`)."""
        self._mark_stopped()
        self._stopping.set()
        if not self._spec.drain:
            self.cancel()

    def cancel(self) -> None:
        """Give up what is in flight, and what would be sent next."""
        self._cancelled = True
        for connection in list(self._in_flight):
            connection.abort(CANCELLED)

    def _mark_stopped(self) -> None:
        self._stopped_ns = self._stopped_ns or time.perf_counter_ns()

    async def run(self) -> LoadOutcome:
        """Offer the load until it is stopped or its limit is reached, then drain.

        Raises:
            LoadError: the server went silent.
        """
        gc.collect()
        gc.freeze()
        gc.disable()
        cpu, wall = time.process_time(), time.perf_counter()
        helpers = [
            asyncio.create_task(task)
            for task in (self._watch_tokens(), self._measure_lag(), self._progress())
        ]
        try:
            match self._spec.arrivals:
                case ClosedLoop() as closed:
                    await self._run_closed(closed)
                case OpenLoop() as opened:
                    await self._run_open(opened)
        finally:
            for helper in helpers:
                helper.cancel()
            gc.enable()
        if self._silent:
            raise LoadError(
                f"no request got a token for {self._spec.silence_seconds:g} s: "
                "the server has stopped generating; see server.log"
            )
        self._report(self._snapshot(done=True))
        return LoadOutcome(
            traces=self._traces,
            cpu_seconds=time.process_time() - cpu,
            wall_seconds=time.perf_counter() - wall,
            loop_lag_ms=self._lag_ms,
            stopped_ns=self._stopped_ns,
        )

    async def _run_closed(self, closed: ClosedLoop) -> None:
        slots = range(self._spec.process, closed.concurrency, self._spec.processes)
        self._slot_turnovers = dict.fromkeys(slots, 0)
        begin = self._begin_with(closed)
        await asyncio.gather(*(self._slot(slot, begin[slot]) for slot in slots))

    def _begin_with(self, closed: ClosedLoop) -> Sequence[UnderWay | None]:
        """The answer under way with which each slot begins, if any."""
        lengths = self._spec.requests.answer_lengths if closed.stationary_start else None
        if lengths is None:
            return [None] * closed.concurrency
        self._stationary = True
        return stationary_state(lengths, closed.concurrency, self._spec.seed)

    async def _slot(self, slot: int, under_way: UnderWay | None) -> None:
        connection: StreamingConnection | None = None
        while (index := self._take_index()) is not None:
            request = self._spec.requests.request(index, under_way)
            trace = self._trace(index, slot, request, under_way=under_way is not None)
            connection = await self._ask(request, trace, connection)
            under_way = None
            self._slot_turnovers[slot] += 1
        if connection is not None:
            connection.close()

    async def _run_open(self, opened: OpenLoop) -> None:
        arrivals, ahead = self._arrivals(opened), deque[_Arrival]()
        free: list[StreamingConnection] = []
        pending: set[asyncio.Task[None]] = set()
        while (arrival := await self._next_due(arrivals, ahead)) is not None:
            task = asyncio.create_task(self._ask_once(arrival, free))
            pending.add(task)
            task.add_done_callback(pending.discard)
        self._mark_stopped()
        await asyncio.gather(*pending)
        for connection in free:
            connection.close()

    def _arrivals(self, opened: OpenLoop) -> Iterator[_Arrival]:
        """This process's share of the schedule, which all processes draw alike; made when they are asked."""
        spec = self._spec
        begin = time.perf_counter_ns() if spec.begin_ns is None else spec.begin_ns
        schedule = enumerate(opened.arrivals_seconds(spec.seed))
        for index, seconds in islice(schedule, spec.process, spec.request_limit, spec.processes):
            yield _Arrival(index, begin + int(seconds * 1e9), spec.requests.request(index))

    async def _next_due(self, arrivals: Iterator[_Arrival], ahead: deque[_Arrival]) -> _Arrival | None:
        """The next arrival, at its time; meanwhile later ones are prepared. `None` once there are no more."""
        while not self._stopping.is_set():
            if not ahead and (first := next(arrivals, None)) is not None:
                ahead.append(first)
            if not ahead:
                return None
            spare_ns = ahead[0].due_ns - time.perf_counter_ns()
            if spare_ns <= 0:
                return ahead.popleft()
            roomy = spare_ns > _SPARE_NS and len(ahead) < PREPARED_AHEAD
            if roomy and (later := next(arrivals, None)) is not None:
                ahead.append(later)
                await asyncio.sleep(0)
            else:
                await self._wait(spare_ns / 1e9)
        return None

    async def _ask_once(self, arrival: _Arrival, free: list[StreamingConnection]) -> None:
        connection = free.pop() if free else None
        trace = self._trace(arrival.index, arrival.index, arrival.request)
        trace.due_ns = arrival.due_ns
        connection = await self._ask(arrival.request, trace, connection)
        if connection is not None and connection.usable:
            free.append(connection)

    async def _wait(self, seconds: float) -> None:
        """Wait so long, or until the load is stopped."""
        if seconds > 0:
            try:
                await asyncio.wait_for(self._stopping.wait(), seconds)
            except TimeoutError:
                return

    def _take_index(self) -> int | None:
        limit = self._spec.request_limit
        if self._stopping.is_set() or (limit is not None and self._next_index >= limit):
            self._mark_stopped()
            return None
        index = self._next_index
        self._next_index += self._spec.processes
        return index

    def _trace(self, index: int, slot: int, request: Request, *, under_way: bool = False) -> Trace:
        trace = Trace(
            index,
            slot,
            request.max_tokens,
            under_way=under_way,
            prescribed=self._prescribed,
            keep_text=not under_way and index < self._spec.read_answers,
        )
        self._traces.append(trace)
        return trace

    async def _ask(
        self, request: Request, trace: Trace, connection: StreamingConnection | None
    ) -> StreamingConnection | None:
        connection = await self._send(request.body, trace, connection)
        if trace.error is None:
            trace.error = _wrong_length(trace)
        self._finished.add(trace)
        return connection

    async def _send(
        self, body: bytes, trace: Trace, connection: StreamingConnection | None
    ) -> StreamingConnection | None:
        """Send a request, on a new connection where the kept one was closed before it was read."""
        while True:
            if self._cancelled:
                trace.sent_ns = trace.finished_ns = time.perf_counter_ns()
                trace.error = CANCELLED
                return connection
            if connection is None or not connection.usable:
                try:
                    connection = await self._connect()
                except OSError as error:
                    trace.sent_ns = trace.finished_ns = time.perf_counter_ns()
                    trace.error = f"cannot connect: {refused_certificate(error) or error}"
                    self._stopping.set()
                    return None
            self._in_flight[connection] = trace
            was_read = await connection.send(self._spec.requests.path, body, trace)
            del self._in_flight[connection]
            if was_read:
                return connection

    async def _connect(self) -> StreamingConnection:
        address, limit = self._address, self._spec.silence_seconds
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(limit):
                _, connection = await loop.create_connection(
                    lambda: StreamingConnection(address), address.host, address.port, ssl=address.security
                )
        except TimeoutError as error:
            raise TimeoutError(f"no answer within {limit:g} s") from error
        return connection

    async def _watch_tokens(self) -> None:
        """Give up a request that gets no token any more, and the whole load once none of them does."""
        stall, silence = self._spec.stall_seconds, self._spec.silence_seconds
        tokens, grown = 0, time.perf_counter()
        while True:
            await asyncio.sleep(min(1.0, stall / 4, silence / 4))
            now = time.perf_counter()
            if self._tokens() != tokens or not self._in_flight:
                tokens, grown = self._tokens(), now
            elif now - grown > silence:
                self._silent = True
                self._stopping.set()
            for connection, trace in list(self._in_flight.items()):
                if self._silent or now - trace.progress_ns / 1e9 > stall:
                    connection.abort(f"stalled for {stall:g} s")

    async def _measure_lag(self) -> None:
        """How late a timer fires: what the event loop adds to every arrival time."""
        while True:
            due = time.perf_counter() + LAG_PERIOD_SECONDS
            await asyncio.sleep(LAG_PERIOD_SECONDS)
            self._lag_ms.append((time.perf_counter() - due) * 1e3)

    async def _progress(self) -> None:
        while True:
            await asyncio.sleep(PROGRESS_PERIOD_SECONDS)
            self._report(self._snapshot())

    def _snapshot(self, done: bool = False) -> Progress:
        in_flight, finished, slots = self._in_flight.values(), self._finished, len(self._slot_turnovers)
        if slots:
            self._begun.update(trace.slot for trace in in_flight if trace.output_tokens)
        self._begun.update(slot for slot, turnovers in self._slot_turnovers.items() if turnovers)
        return Progress(
            at_ns=time.perf_counter_ns(),
            slots=slots,
            warm=not slots or (len(self._begun) == slots and (self._stationary or finished.count >= slots)),
            sent=len(self._traces),
            finished=finished.count,
            failed=finished.failed,
            tokens=self._tokens(),
            turnovers=tuple(self._slot_turnovers.values()),
            longest_seconds=finished.longest_seconds,
            done=done,
        )

    def _tokens(self) -> int:
        """Tokens that have arrived so far."""
        return self._finished.tokens + sum(trace.output_tokens for trace in self._in_flight.values())


@dataclass
class _Finished:
    """Counts over the requests that have ended, so that a snapshot reads only those in flight."""

    count: int = 0
    failed: int = 0
    tokens: int = 0
    longest_seconds: float = 0.0

    def add(self, trace: Trace) -> None:
        self.count += 1
        if trace.error is None:
            self.longest_seconds = max(self.longest_seconds, (trace.finished_ns - trace.sent_ns) / 1e9)
        self.failed += trace.error not in (None, CANCELLED)
        self.tokens += trace.output_tokens


@dataclass(frozen=True)
class _Arrival:
    """A request of an open loop, ready to send at its time."""

    index: int
    due_ns: int
    request: Request


def _wrong_length(trace: Trace) -> str | None:
    """What is wrong with the length of a complete answer; `None` if nothing is."""
    if trace.prescribed and trace.output_tokens != trace.max_tokens:
        return f"{trace.output_tokens} tokens came, but {trace.max_tokens} were prescribed"
    if trace.output_tokens > trace.max_tokens:
        return f"{trace.output_tokens} tokens came, but at most {trace.max_tokens} were requested"
    return None


def lag_quantiles(lag_ms: list[float]) -> tuple[float | None, float | None]:
    """(p99, maximum) of the loop lag in ms; `None` when it was never measured."""
    if not lag_ms:
        return None, None
    return float(np.quantile(lag_ms, 0.99)), float(max(lag_ms))
