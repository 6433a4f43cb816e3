"""What spreading lengths evenly is worth: closed loops simulated with lengths drawn freely and evenly.

    python -m benchmarks.lengths [--task gpqa] [--seeds 24]

A step of the simulated server takes BASE_SECONDS, SECONDS_PER_TOKEN_HELD for each token of context and
SECONDS_PER_TOKEN_READ for each token of a new prompt, read off the recorded H200 sweep of Qwen3-8B (median
inter-token latency against the context held; mean against median). Energy per token is in proportion to
the step there, as the power is constant. For each batch size and length of load:

- `scatter`: 95 % of loads with another seed lie within this share of their mean;
- `within`: the 95 % interval that one load gives itself over ten sub-windows (median).

Below, loads that stop as a run does: after 60 s or later, at the first look (one per second) at which that
interval is 1 %; and how far those that stopped scatter.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

import numpy as np

from benchmark_tasks import catalog
from benchmark_tasks.statistics import relative_interval
from benchmark_tasks.vocabulary import Task
from benchmark_tasks.workloads.lengths import evenly, length_at
from benchmark_tasks.workloads.stationary import stationary_state

BASE_SECONDS = 5.6e-3
SECONDS_PER_TOKEN_HELD = 4.5e-8
SECONDS_PER_TOKEN_READ = 4e-5
BATCH_SIZES = (8, 64, 256)
LOAD_SECONDS = (30.0, 60.0, 240.0)
FIRST_LOOK_SECONDS, LAST_LOOK_SECONDS = 60, 240
SUB_WINDOWS = 10
NORMAL_95 = 1.96
TARGET = 0.01

_REQUESTS = {task: entry.requests for task, entry in catalog.load().tasks.items() if entry.requests}
WITH_LENGTHS = tuple(_REQUESTS)

Shares = Callable[[int], Iterator[tuple[float, float]]]
"""Of a seed, the shares from which each request's prompt and answer lengths are made."""


def freely(seed: int) -> Iterator[tuple[float, float]]:
    """Pairs of uniform random numbers."""
    rng = np.random.default_rng(seed)
    while True:
        one, other = rng.random(2)
        yield float(one), float(other)


def spread(seed: int) -> Iterator[tuple[float, float]]:
    """Pairs of evenly spread numbers, as synthetic request sets take them."""
    index = 0
    while True:
        yield evenly(seed, index)
        index += 1


def token_times(task: Task, shares: Shares, batch_size: int, seconds: float, seed: int) -> np.ndarray:
    """When each step of a load ended; every step is one token in each slot."""
    requests = _REQUESTS[task]
    drawn = shares(seed)
    state = stationary_state(requests.output_tokens, batch_size, seed)
    left = np.array([one.left for one in state])
    held = np.array([one.written for one in state], dtype=float)
    held += [length_at(requests.input_tokens, next(drawn)[0]) for _ in state]
    now, ends, read = 0.0, [], 0
    while now < seconds:
        now += BASE_SECONDS + SECONDS_PER_TOKEN_HELD * held.sum() + SECONDS_PER_TOKEN_READ * read
        ends.append(now)
        held, left, read = held + 1, left - 1, 0
        for slot in np.flatnonzero(left <= 0):
            prompt_share, answer_share = next(drawn)
            held[slot] = prompt = length_at(requests.input_tokens, prompt_share)
            left[slot] = length_at(requests.output_tokens, answer_share)
            read += prompt
    return np.array(ends)


def seconds_per_step(ends: np.ndarray) -> tuple[float, float]:
    """(mean, the 95 % interval over sub-windows as a share of it)."""
    edges = np.linspace(0, ends[-1], SUB_WINDOWS + 1)
    steps = np.diff(np.interp(edges, ends, np.arange(1, len(ends) + 1)))
    interval = relative_interval(np.diff(edges) / steps)
    assert interval is not None
    return float(ends[-1] / len(ends)), interval


def stopped(ends: np.ndarray) -> tuple[float, float] | None:
    """(seconds, mean) of a load when it may stop; `None` if it never may."""
    for look in range(FIRST_LOOK_SECONDS, LAST_LOOK_SECONDS + 1):
        mean, interval = seconds_per_step(ends[ends <= look])
        if interval <= TARGET:
            return look, mean
    return None


def scatter(means: np.ndarray) -> float:
    """How far 95 % of the loads lie from their mean, as a fraction of it; NaN for a single load."""
    return float(NORMAL_95 * means.std(ddof=1) / means.mean()) if len(means) > 1 else float("nan")


def main() -> None:
    """Print the scatter of loads whose lengths are drawn freely, and of loads whose lengths are spread."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=24)
    parser.add_argument("--task", default=Task.LM_ARENA_CHAT, choices=WITH_LENGTHS)
    options = parser.parse_args()
    task = next(known for known in WITH_LENGTHS if known == options.task)
    loads = {
        (batch_size, name): [
            token_times(task, shares, batch_size, LAST_LOOK_SECONDS, seed) for seed in range(options.seeds)
        ]
        for batch_size in BATCH_SIZES
        for name, shares in (("free", freely), ("even", spread))
    }
    print(f"{'batch':>6} {'lengths':>8} {'load s':>7} {'ms/step':>10} {'scatter':>8} {'within':>7}")
    for (batch_size, name), some in loads.items():
        for seconds in LOAD_SECONDS:
            means, intervals = np.array([seconds_per_step(ends[ends <= seconds]) for ends in some]).T
            print(
                f"{batch_size:>6} {name:>8} {seconds:>7.0f} {1e3 * means.mean():>10.2f} "
                f"{scatter(means):>8.2%} {np.median(intervals):>7.2%}"
            )
    print(f"\n{'batch':>6} {'lengths':>8} {'stopped':>8} {'median s':>9} {'scatter':>8}")
    for (batch_size, name), some in loads.items():
        ended = [stop for ends in some if (stop := stopped(ends)) is not None]
        stops, means = np.array(ended).T if ended else (np.array([np.nan]), np.array([]))
        share = f"{len(ended)} of {len(some)}"
        print(f"{batch_size:>6} {name:>8} {share:>8} {np.median(stops):>9.0f} {scatter(means):>8.2%}")


if __name__ == "__main__":
    main()
