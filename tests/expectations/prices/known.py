"""Designed loads whose joules are a known sum over their work: every price can be worked out by hand."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from benchmark_tasks.plan.prices import DESIGNED_LOADS, DesignedLoad
from benchmark_tasks.results.schema import Run
from benchmark_tasks.testing.samples import sample_open_run, sample_run
from expectations.candidate.profiles import Profile
from expectations.prices import Decoding, Work

PREFILL, PAIR, CONTEXT, IDLE_WATTS = 0.02, 2e-6, 3e-5, 120.0
STEPS = {1.0: 2.5, 8.0: 2.6, 64.0: 4.0, 256.0: 9.0}
"""Joules of a decode step; between them linear."""
WATTS, WINDOW_SECONDS = 500.0, 60.0
"""While the server works, whatever it does; and how long every window lasts."""
LOADS = tuple(load for load in DESIGNED_LOADS if load.prompt_tokens + load.answer_tokens <= 20_480)


def step(batch: float) -> float:
    return float(np.interp(batch, list(STEPS), list(STEPS.values())))


def work_of(load: DesignedLoad, requests: float = 1000, idle_seconds: float = 0.0) -> Work:
    decoded = load.answer_tokens - 1
    context = requests * decoded * (load.prompt_tokens + 1 + decoded / 2)
    return Work(
        prefill_tokens=requests * load.prompt_tokens,
        prefill_pairs=requests * load.prompt_tokens**2 / 2,
        decoding=(Decoding(load.batch_size, requests * decoded, context),) if decoded else (),
        idle_seconds=idle_seconds,
    )


def joules_of(work: Work) -> float:
    return (
        PREFILL * work.prefill_tokens
        + PAIR * work.prefill_pairs
        + CONTEXT * work.context_tokens
        + sum(part.tokens / part.in_flight * step(part.in_flight) for part in work.decoding)
        + IDLE_WATTS * work.idle_seconds
    )


def designed_run(load: DesignedLoad, *, factor: float = 1.0, version: str = "0.26.0") -> tuple[Run, Profile]:
    """A run of a designed load, and the work of its window: a minute at 500 W.

    factor: by which its energy is off from the known prices.
    """
    requests = WATTS * WINDOW_SECONDS / joules_of(work_of(load, 1.0))
    base = sample_run(batch_size=load.batch_size, power_watts=WATTS * factor, runtime_version=version)
    lengths = {"fixed_prompt_tokens": load.prompt_tokens, "fixed_answer_tokens": load.answer_tokens}
    run = base.model_copy(update={"configuration": base.configuration.model_copy(update=lengths)})
    return run, profiled(run, work_of(load, requests))


def idle_run() -> tuple[Run, Profile]:
    """A minute without a request."""
    run = sample_open_run(batch_size=256, request_rate=0.0, power_watts=IDLE_WATTS)
    return run, profiled(run, Work(0.0, 0.0, idle_seconds=WINDOW_SECONDS))


def profiled(run: Run, work: Work) -> Profile:
    return Profile(
        run.run_id,
        work=(work.prefill_tokens, work.prefill_pairs, work.idle_seconds),
        decoding=tuple((int(part.in_flight), part.tokens, part.context_tokens) for part in work.decoding),
    )


def apart(pairs: Iterable[tuple[Run, Profile]]) -> tuple[list[Run], list[Profile]]:
    runs, profiles = zip(*pairs, strict=True)
    return list(runs), list(profiles)
