"""How well methods find a release that changes energy: power, false alarms, and GPU-minutes.

    python -m benchmarks.change_points recorded_runs/h[12]00-*

Simulates histories of releases with the scatter that the recorded runs of language models show: server
starts on one GPU, runs on one server, GPUs of one model. The scatter is resampled, not assumed to be
normal. In each history one release changes the energy of one of two configurations (batch 64 and 256) by a
step; nothing else changes. A method finds it if it names that configuration at that release. Everything
else that it names is a false alarm.

- `otava`: Apache Otava with its defaults (p < 0.001), over the whole history, so with all later releases
  known. One server with three runs per release, on one GPU or on whichever GPU was free.
- `otava, servers`: the same with four servers per release, each a value of its own. `at once`: the history
  ends with the release of the step.
- `pairwise`: three runs on one server per release, a two-sample t interval (95 %) against the release before.
- `servers`: A B B A on one GPU, a two-sample t interval (95 %) over these four servers alone.
- `candidate`: A B B A on one GPU; the interval (90 %) takes the scatter between servers from everything
  measured. This is `is_candidate` of `release_history`.
- `confirmed`: a candidate is measured once more, A B B A on the same GPU. Over all eight servers the interval
  (99.8 %) must not contain 0, nor may that of `servers`. This is what `release_history` calls `confirmed`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from benchmark_tasks.errors import JouleboardError
from benchmark_tasks.results.schema import Run
from benchmark_tasks.vocabulary import OutputUnit
from benchmarks.campaign.runs import is_mlenergy_procedure, runs_of
from expectations.variance.components import BUSY

OTAVA = "apache-otava==0.8.0"
STEPS = (0.01, 0.02, 0.03, 0.05)
RELEASES = 12
GPUS = 4
BATCH_SIZES = (64, 256)
"""What one server measures of each release."""
PAIRWISE_RUNS = 3
PLAIN, CANDIDATE, CONFIRMED = 0.95, 0.9, 0.998
"""Confidence of the intervals."""
_SEED = 21

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Scatter:
    """Relative deviations that were measured, each with its mean taken out and made up for that.

    servers: of a server's mean from that of the other servers on its GPU. runs: of a run from its server's
    mean. gpus: of a GPU's mean from that of the other GPUs. degrees: servers less means that were taken out.
    """

    servers: Values
    runs: Values
    gpus: Values
    degrees: int


@dataclass(frozen=True)
class Cost:
    """GPU-seconds of one server start, and of one run at every batch size."""

    start_seconds: float
    run_seconds: float

    def minutes(self, servers: int, runs: int = 1) -> float:
        """GPU-minutes of so many servers with so many runs of each batch size."""
        return servers * (self.start_seconds + runs * self.run_seconds) / 60


@dataclass(frozen=True)
class Result:
    """What a method found in many histories.

    power: share of the histories in which it found the step. false_alarms: per release. minutes: GPU-minutes
    per release without a candidate, and with one.
    """

    method: str
    step: float
    power: float
    false_alarms: float
    minutes: tuple[float, float]


# Scatter and cost, from the recorded runs


def scatter_of(runs: Iterable[Run]) -> Scatter:
    """The scatter of language models over everything that was measured more than once.

    The same groups as `int_server_scatter`: one configuration under one version and one set of GPUs.
    Models whose GPU waits for its host are left out, as in `variance_components`.
    """
    servers: dict[tuple[str, str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        joules = _joules_per_token(run)
        if joules is None or run.server is None or run.provenance is None or _waits(run):
            continue
        gpus = ",".join(sorted(gpu.uuid for gpu in run.provenance.gpus))
        key = (run.configuration.configuration_id, run.comparability.model_dump_json(), gpus)
        servers[key][run.server.session_id].append(joules)
    means = {key: [float(np.mean(values)) for values in starts.values()] for key, starts in servers.items()}
    by_gpu: dict[tuple[str, str], list[float]] = defaultdict(list)
    for (configuration, comparability, _), values in means.items():
        by_gpu[configuration, comparability].append(float(np.mean(values)))
    return Scatter(
        _deviations(means.values()),
        _deviations(values for starts in servers.values() for values in starts.values()),
        _deviations(by_gpu.values()),
        sum(len(values) - 1 for values in means.values()),
    )


def cost_of(runs: Iterable[Run]) -> Cost:
    """The median of what a start took, and the sum over the batch sizes of the median of what a run took."""
    starts: list[float] = []
    loads: dict[int, list[float]] = defaultdict(list)
    for run in runs:
        seconds = {phase.name: phase.seconds for phase in run.phases}
        if "server-start" in seconds:
            starts.append(seconds["server-start"])
        loads[run.configuration.batch_size].append(sum(seconds.values()) - seconds.get("server-start", 0.0))
    return Cost(median(starts), sum(median(loads[size]) for size in BATCH_SIZES))


def _joules_per_token(run: Run) -> float | None:
    window = run.window_steady
    if window is None or not window.settled or window.energy is None or is_mlenergy_procedure(run):
        return None
    if window.energy.counter_joules is None or not window.output_tokens:
        return None
    return window.energy.counter_joules / window.output_tokens


def _waits(run: Run) -> bool:
    window = run.window_steady
    limits = [gpu.power_limit_watts for gpu in run.provenance.gpus] if run.provenance else []
    if window is None or window.energy is None or not limits or None in limits:
        return False
    watts = window.energy.counter_joules / window.energy.counter_seconds
    return watts < BUSY * sum(limit for limit in limits if limit is not None)


def _deviations(groups: Iterable[Sequence[float]]) -> Values:
    """Relative deviations from the means of groups of at least two; n - 1 of n are independent."""
    parts = [
        (np.asarray(group) / np.mean(group) - 1) * np.sqrt(len(group) / (len(group) - 1))
        for group in groups
        if len(group) > 1
    ]
    return np.concatenate(parts)


# Histories


@dataclass(frozen=True)
class World:
    """What simulated measurements scatter by. drift: change of energy from server to server, by heat."""

    scatter: Scatter
    draw: np.random.Generator
    drift: float = 0.0

    def servers(self, count: int) -> Values:
        """The deviations of so many new servers."""
        return self.draw.choice(self.scatter.servers, count)

    def runs(self, count: int) -> Values:
        """The deviations of so many runs on one server."""
        return self.draw.choice(self.scatter.runs, count)

    def in_turns(self, change: float) -> tuple[Values, Values]:
        """Two servers of the release before (A) and two of the new one (B), measured A B B A."""
        means = (1 + self.servers(4)) * (1 + self.drift * np.arange(4))
        return means[[0, 3]], means[[1, 2]] * (1 + change)

    def known_scatter(self) -> float:
        """The scatter between servers as everything measured before shows it: an estimate, too."""
        return float(np.sqrt(np.mean(self.servers(self.scatter.degrees) ** 2)))


Finds = Callable[[World, float], bool]
"""Whether a method names a release that changed energy by a share."""


def pairwise(world: World, change: float) -> bool:
    """Three runs on a server of each release; the interval is theirs."""
    old, new = ((1 + world.servers(1)) * (1 + world.runs(PAIRWISE_RUNS)) for _ in range(2))
    return _differ(old, new * (1 + change))


def servers(world: World, change: float) -> bool:
    """A B B A; the interval is that of these four servers."""
    return _differ(*world.in_turns(change))


def candidate(world: World, change: float) -> bool:
    """A B B A; the interval takes its scatter from everything measured."""
    old, new = world.in_turns(change)
    return _clear(old, new, world.known_scatter(), world.scatter.degrees, CANDIDATE)


def confirmed(world: World, change: float) -> bool:
    """A candidate that holds over A B B A, A B B A."""
    known, degrees = world.known_scatter(), world.scatter.degrees
    old, new = world.in_turns(change)
    if not _clear(old, new, known, degrees, CANDIDATE):
        return False
    old_again, new_again = world.in_turns(change)
    old, new = np.concatenate([old, old_again]), np.concatenate([new, new_again])
    return _clear(old, new, known, degrees, CONFIRMED) and _differ(old, new)


def _differ(old: Values, new: Values) -> bool:
    """Student's two-sample t interval with equal variances, 95 %."""
    degrees = len(old) + len(new) - 2
    variance = (old.var() * len(old) + new.var() * len(new)) / degrees
    half = _t(PLAIN, degrees) * np.sqrt(variance * (1 / len(old) + 1 / len(new)))
    return bool(abs(new.mean() - old.mean()) > half)


def _clear(old: Values, new: Values, known: float, degrees: int, confidence: float) -> bool:
    """The rule of `int_release_confirmations`."""
    ratio = new.mean() / old.mean()
    half = _t(confidence, degrees) * known * np.sqrt(1 / len(old) + 1 / len(new)) * ratio
    return bool(abs(ratio - 1) > half)


@cache
def _t(confidence: float, degrees: int) -> float:
    from scipy import stats

    return float(stats.t.ppf((1 + confidence) / 2, degrees))


def simulate(name: str, finds: Finds, world: World, histories: int, step: float, cost: Cost) -> Result:
    """One method over many histories: it judges each release against the one before."""
    signs = world.draw.choice([-1, 1], histories)
    found = sum(finds(world, sign * step) for sign in signs)
    # Of the other configuration every release is unchanged, and of this one every release but one.
    unchanged = histories * (2 * (RELEASES - 1) - 1)
    alarms = sum(finds(world, 0.0) for _ in range(unchanged))
    per_release = alarms / (histories * (RELEASES - 1))
    return Result(name, step, found / histories, per_release, _minutes(name, cost))


def _minutes(name: str, cost: Cost) -> tuple[float, float]:
    if name == "pairwise":
        on_one_server = cost.minutes(1, PAIRWISE_RUNS)
        return on_one_server, on_one_server
    turns = cost.minutes(4)
    return (turns, 2 * turns) if name == "confirmed" else (turns, turns)


# Apache Otava, which looks at the whole history


@dataclass(frozen=True)
class History:
    """A series for Otava, how many values each release has, and the release of the step."""

    values: list[float]
    per_release: int
    step_at: int

    @property
    def releases(self) -> int:
        """Releases that have one before them."""
        return len(self.values) // self.per_release - 1


@dataclass(frozen=True)
class Way:
    """What Otava is shown.

    servers: per release, each a value of its own; of a single one the mean of three runs. one_gpu: the same
    GPU measures all releases. at_once: the history ends with the release of the step.
    """

    name: str
    servers: int = 1
    one_gpu: bool = True
    at_once: bool = False

    def minutes(self, cost: Cost) -> float:
        """GPU-minutes per release."""
        return cost.minutes(self.servers, PAIRWISE_RUNS if self.servers == 1 else 1)


WAYS = (
    Way("otava, one GPU"),
    Way("otava, any GPU", one_gpu=False),
    Way("otava, servers", servers=4),
    Way("otava, servers, at once", servers=4, at_once=True),
    Way("otava, servers, any GPU", servers=4, one_gpu=False),
)


def history_of(world: World, change: float, way: Way) -> History:
    """The values of a history in the order of its releases."""
    step_at = int(world.draw.integers(2, RELEASES - 1))
    gpus = world.draw.choice(world.scatter.gpus, GPUS)
    values: list[float] = []
    for release in range(step_at + 1 if way.at_once else RELEASES):
        level = 1 + (change if release >= step_at else 0.0)
        level *= 1.0 if way.one_gpu else 1 + gpus[world.draw.integers(GPUS)]
        measured = (1 + world.servers(way.servers)) * level
        if way.servers == 1:
            measured *= 1 + world.runs(PAIRWISE_RUNS).mean()
        values.extend(float(value) for value in measured)
    return History(values, way.servers, step_at)


def otava(histories: Sequence[History]) -> list[set[int]]:
    """The releases that Otava names in each history. It runs in an environment of its own, made by uv."""
    program = Path(__file__).with_name("otava_candidates.py")
    uv = str(Path(sys.executable).with_name("uv"))
    alone = ("--no-project", "--isolated", "--python", "3.11", "--with", OTAVA)
    command = [uv, "run", *alone, "python", str(program)]
    answer = subprocess.run(
        command,
        input=json.dumps([history.values for history in histories]),
        capture_output=True,
        text=True,
        timeout=1800,
        check=True,
    )
    places = json.loads(answer.stdout)
    return [
        {round(place / history.per_release) for place in found}
        for history, found in zip(histories, places, strict=True)
    ]


def otava_results(world: World, histories: int, cost: Cost) -> list[Result]:
    """Otava, shown several kinds of histories."""
    asked = [
        (way, step, [history_of(world, change, way) for change in _changes(world, step, histories)])
        for way in WAYS
        for step in (0.0, *STEPS)
    ]
    answers = iter(otava(list(chain.from_iterable(drawn for *_, drawn in asked))))
    alarms: dict[Way, float] = {}
    results = []
    for way, step, drawn in asked:
        pairs = [(history, next(answers)) for history in drawn]
        releases = sum(history.releases for history in drawn)
        if not step:  # the other configuration of each history
            alarms[way] = sum(len(found) for _, found in pairs) / releases
            continue
        power = sum(history.step_at in found for history, found in pairs) / histories
        wrong = sum(len(found - {history.step_at}) for history, found in pairs) / releases
        minutes = way.minutes(cost)
        results.append(Result(way.name, step, power, alarms[way] + wrong, (minutes, minutes)))
    return results


def _changes(world: World, step: float, histories: int) -> Values:
    return step * world.draw.choice([-1, 1], histories)


METHODS: dict[str, Finds] = {
    "pairwise": pairwise,
    "servers": servers,
    "candidate": candidate,
    "confirmed": confirmed,
}


def main() -> None:
    """Print scatter, cost and the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.change_points",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, nargs="+", help="recorded runs")
    parser.add_argument("--histories", type=int, default=1000)
    parser.add_argument("--drift", type=float, default=0.0, help="relative drift per server start, by heat")
    parser.add_argument("--without-otava", action="store_true", help="it is installed from the package index")
    options = parser.parse_args()
    try:
        runs = list(chain.from_iterable(map(runs_of, options.folder)))
    except JouleboardError as error:
        sys.exit(f"error: {error}")
    language = [run for run in runs if run.configuration.task.output_unit is OutputUnit.TOKEN]
    scatter = scatter_of(language)
    chat = [run for run in language if run.configuration.model_id == "Qwen/Qwen3-8B" and run.phases]
    cost = cost_of(run for run in chat if not (is_mlenergy_procedure(run) or run.configuration.is_open))
    print(_scatter_text(scatter, cost))
    world = World(scatter, np.random.default_rng(_SEED), options.drift)
    results = [] if options.without_otava else otava_results(world, options.histories, cost)
    for name, finds in METHODS.items():
        results += [simulate(name, finds, world, options.histories, step, cost) for step in STEPS]
    _print_table(results)


def _scatter_text(scatter: Scatter, cost: Cost) -> str:
    parts = [
        f"{name} {100 * np.sqrt(np.mean(values**2)):.2f} %"
        for name, values in (("servers", scatter.servers), ("runs", scatter.runs), ("GPUs", scatter.gpus))
    ]
    return (
        f"Relative standard deviation: {', '.join(parts)}; {scatter.degrees} degrees of freedom (servers).\n"
        f"A server start takes {cost.start_seconds:.0f} s, both batch sizes {cost.run_seconds:.0f} s.\n"
    )


def _print_table(results: Sequence[Result]) -> None:
    print(
        f"| method | {' | '.join(f'{step:.0%}' for step in STEPS)} | false alarms per release | GPU-minutes |"
    )
    print("|---|" + "---|" * (len(STEPS) + 2))
    for name in dict.fromkeys(result.method for result in results):
        rows = [result for result in results if result.method == name]
        alarms = float(np.mean([result.false_alarms for result in rows]))
        unchanged, changed = rows[0].minutes
        minutes = f"{unchanged:.0f}" if unchanged == changed else f"{unchanged:.0f}, candidates {changed:.0f}"
        powers = " | ".join(f"{row.power:.1%}" for row in rows)
        print(f"| {name} | {powers} | {alarms:.2%} | {minutes} |")


if __name__ == "__main__":
    main()
