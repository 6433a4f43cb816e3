"""A server that sleeps: what going to sleep, sleeping and waking take, after its idle window.

Waking ends with the first token of a short answer, so that it can be held against the start of a server.
"""

from __future__ import annotations

import asyncio
import time

from benchmark_tasks.client.arrivals import ClosedLoop
from benchmark_tasks.client.load import Load, LoadSpec
from benchmark_tasks.errors import LoadError, ServerError
from benchmark_tasks.language.idle import wait_quietly
from benchmark_tasks.language.measurement import Bench
from benchmark_tasks.measuring.instruments import spent, with_energy
from benchmark_tasks.results.schema import Sleep, Spent

_ANSWER_TOKENS = 1


def measure_sleep(bench: Bench, level: int) -> Sleep:
    """Put a server without requests to sleep, wait for a steady window, and wake it.

    Raises:
        ServerDied, ServerError: it refuses to sleep or to wake, or does not sleep.
        LoadError: it does not answer after waking.
    """
    server, devices = bench.server, bench.devices
    assert server.contract.sleep is not None
    depth = server.contract.sleep.levels[level]
    bench.say(f"  sleep level {level}")
    mark, begun = devices.mark(), time.perf_counter_ns()
    server.tell(depth.sleep)
    slept = time.perf_counter_ns()
    if not server.is_sleeping():
        raise ServerError(f"the server was put to sleep (level {level}) and says that it is awake")
    falling = spent(begun, slept, devices, mark)
    window, _ = wait_quietly(bench, slept, mark)
    devices.wait_past(time.perf_counter_ns())
    window, reason = with_energy(window, devices.timeline(slept, mark), devices)
    woken = time.perf_counter_ns()
    server.tell(depth.wake)
    waking = spent(woken, _first_token_ns(bench, level), devices, mark)
    bench.say(f"  {_in_short(falling)} to fall asleep, {_in_short(waking)} to wake")
    return Sleep(level=level, falling_asleep=falling, window=window, waking=waking, absent_reason=reason)


def _first_token_ns(bench: Bench, level: int) -> int:
    """When the first token of a short answer arrived (`time.perf_counter_ns`)."""
    spec = LoadSpec(
        base_url=bench.server.base_url,
        key=bench.server.key,
        requests=bench.request_set.warm_up(_ANSWER_TOKENS),
        arrivals=ClosedLoop(1, stationary_start=False),
        request_limit=1,
        silence_seconds=bench.procedure.maximum_seconds,
    )
    traces = asyncio.run(Load(spec).run()).traces
    error = traces[0].error if traces else "it was not sent"
    if error is not None or not traces[0].arrival_ns:
        bench.server.raise_if_dead()
        raise LoadError(f"the first request after sleep level {level} failed: {error}; see server.log")
    return traces[0].arrival_ns[0]


def _in_short(took: Spent) -> str:
    energy = "no energy" if took.joules is None else f"{took.joules:,.0f} J"
    return f"{took.seconds:.2f} s ({energy})"
