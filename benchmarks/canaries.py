"""What a release costs with canaries, as a share of a full sweep; and how surely canaries decide.

    python -m benchmarks.canaries recorded_runs/h[12]00-*

Plans both with the project's own code for the whole catalog, on a host with eight GPUs of each model that
recorded runs are of, and adds up GPU-seconds of recorded runs: server starts, warm-ups and loads.

- A configuration that was recorded on this GPU model costs what its runs took (mean), in both plans.
- Every other one, and every start, costs the *median* of what was recorded of its architecture. In the bound,
  the longest in the plan of the canaries and the *shortest* in the full sweep: it understates the full
  sweep, so that the share of the canaries is certainly smaller.

Then releases are simulated with the scatter between servers that the recorded runs show
(`benchmarks.change_points`): how often canaries find a release unchanged.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from statistics import fmean, median

import numpy as np

from benchmark_tasks import catalog as catalogs
from benchmark_tasks.catalog import Catalog
from benchmark_tasks.plan import CanarySeries, Change, Comparison, Sweep, canary_series, decide, plan_release
from benchmark_tasks.plan.canaries import to_measure_again
from benchmark_tasks.results.schema import Run
from benchmark_tasks.results.store import Listing
from benchmark_tasks.vocabulary import Architecture, ModelKind, OutputUnit, RunStatus, RuntimeName
from benchmarks.campaign.runs import runs_of
from benchmarks.change_points import BATCH_SIZES, Scatter, Values, World, scatter_of

GPUS = 8
CHANGES = (0.0, 0.005, 0.01, 0.015, 0.02, 0.03)
"""True changes of energy of one canary that are simulated."""
_SEED = 21

Pick = Callable[[Iterable[float]], float]


@dataclass(frozen=True)
class Durations:
    """Recorded seconds of server starts and of runs, by architecture and by configuration."""

    starts: dict[Architecture, list[float]]
    runs: dict[Architecture, list[float]]
    of_configuration: dict[tuple[str, str, int, str], list[float]]

    @classmethod
    def of(cls, runs: Iterable[Run]) -> Durations:
        """From completed runs in closed loops, which a release is measured in."""
        starts: dict[Architecture, list[float]] = defaultdict(list)
        lengths: dict[Architecture, list[float]] = defaultdict(list)
        configurations: dict[tuple[str, str, int, str], list[float]] = defaultdict(list)
        for run in runs:
            what = run.configuration
            if run.status is not RunStatus.COMPLETED or not run.phases or what.is_open:
                continue
            start = sum(phase.seconds for phase in run.phases if phase.name == "server-start")
            length = sum(phase.seconds for phase in run.phases if phase.name != "server-start")
            if start:
                starts[what.task.architecture].append(start)
            lengths[what.task.architecture].append(length)
            configurations[what.model_id, what.task, what.batch_size, what.gpu_model].append(length)
        return cls(starts, lengths, configurations)

    def seconds(self, sweep: Sweep, unknown: Pick) -> float:
        """GPU-seconds of a sweep; `unknown` picks from the architecture's where nothing was recorded."""
        architecture = sweep.task.architecture
        total = unknown(self.starts[architecture])
        for point in sweep.points:
            key = sweep.model_id, sweep.task, point.batch_size, sweep.gpu_model
            recorded = self.of_configuration.get(key) if sweep.num_gpus == 1 else None
            total += point.repeats * (fmean(recorded) if recorded else unknown(self.runs[architecture]))
        return total * sweep.num_gpus

    def recorded(self, sweep: Sweep) -> int:
        """How many points of a sweep were recorded."""
        keys = [(sweep.model_id, sweep.task, point.batch_size, sweep.gpu_model) for point in sweep.points]
        return sum(key in self.of_configuration for key in keys) if sweep.num_gpus == 1 else 0


@dataclass(frozen=True)
class Cost:
    """GPU-hours of one release on one GPU model.

    uncovered: of the full sweep, models of a kind without a canary, which never wait. points, recorded:
    configurations of the full sweep.
    """

    runtime: RuntimeName
    gpu_model: str
    canaries: int
    one_round: float
    one_round_at_most: float
    uncovered: float
    full: float
    full_at_least: float
    points: int
    recorded: int

    def row(self, rounds: int, weekly: float) -> str:
        """One line of the table."""
        cells = (
            self.runtime,
            self.gpu_model,
            str(self.canaries),
            f"{self.one_round:.2f}",
            f"{self.full:.1f}",
            f"{self.uncovered:.1f}",
            f"{(self.one_round + self.uncovered) / self.full:.1%}",
            f"{(rounds * self.one_round + self.uncovered) / self.full:.1%}",
            f"{self.one_round_at_most / self.full_at_least:.1%}",
            f"{weekly / self.full:.1%}",
            f"{self.recorded} of {self.points}",
        )
        return f"| {' | '.join(cells)} |"


def cost_of_release(
    catalog: Catalog, runs: Sequence[Run], runtime: RuntimeName, gpu_model: str, version: str
) -> Cost:
    """Canaries of a release in turns with the last one, and the full sweep, on eight GPUs of a model."""
    durations = Durations.of(runs)
    series = canary_series(catalog, runs, runtime=runtime, version=version, gpu_model=gpu_model)
    full = plan_release(
        catalog, Listing((), ()), runtime=runtime, runtime_version=version, gpu_model=gpu_model, gpus=GPUS
    ).sweeps
    turns = [sweep for each in series for sweep in each.sweeps]
    return Cost(
        runtime=runtime,
        gpu_model=gpu_model,
        canaries=len(series),
        one_round=sum(durations.seconds(sweep, median) for sweep in turns) / 3600,
        one_round_at_most=sum(durations.seconds(sweep, max) for sweep in turns) / 3600,
        uncovered=sum(
            durations.seconds(sweep, median)
            for sweep in full
            if catalog.model(sweep.model_id).kind not in {each.kind for each in series}
        )
        / 3600,
        full=sum(durations.seconds(sweep, median) for sweep in full) / 3600,
        full_at_least=sum(durations.seconds(sweep, min) for sweep in full) / 3600,
        points=sum(len(sweep.points) for sweep in full),
        recorded=sum(durations.recorded(sweep) for sweep in full),
    )


def decided(catalog: Catalog, scatter: Scatter, change: float, releases: int) -> tuple[float, float, float]:
    """Shares of simulated releases that wait at once, wait after a second round, and are measured whole.

    change: true change of energy of one canary at one batch size; the others do not change.
    """
    world, series = World(scatter, np.random.default_rng(_SEED)), _series(catalog)
    margin, at_once, later = catalog.canaries.margin, 0, 0
    for _ in range(releases):
        known, drawn = world.known_scatter(), _in_turns(world, series, change, {})
        changes = _changes(drawn, known, scatter.degrees)
        if decide(series, changes, margin)[0].waits:
            at_once += 1
            continue
        drawn = _in_turns(world, to_measure_again(series, changes, margin), change, drawn)
        later += bool(decide(series, _changes(drawn, known, scatter.degrees), margin)[0].waits)
    return at_once / releases, later / releases, 1 - (at_once + later) / releases


def _series(catalog: Catalog) -> tuple[CanarySeries, ...]:
    """The canaries of vLLM against one earlier release: sweeps are as planned."""
    return canary_series(catalog, _an_earlier_run(), runtime="vllm", version="999", gpu_model="H100")


def _an_earlier_run() -> list[Run]:
    from benchmark_tasks.testing.samples import sample_run

    run = sample_run(gpu=True)
    what = run.configuration.model_copy(update={"gpu_model": "H100"})
    return [run.model_copy(update={"configuration": what})]


Drawn = dict[Comparison, tuple[Values, Values]]
"""Energy of the servers of the earlier and of the new release, 1 being the truth without a change."""


def _in_turns(world: World, series: Iterable[CanarySeries], change: float, before: Drawn) -> Drawn:
    """Two more servers of each release per comparison."""
    drawn = dict(before)
    for comparison in (comparison for each in series for comparison in each.comparisons):
        changed = comparison.kind is ModelKind.DENSE and comparison.batch_size == BATCH_SIZES[0]
        old, new = world.in_turns(change if changed else 0.0)
        if comparison in before:
            old, new = (np.concatenate(pair) for pair in zip(before[comparison], (old, new), strict=True))
        drawn[comparison] = old, new
    return drawn


def _changes(drawn: Drawn, known: float, degrees: int) -> dict[Comparison, Change]:
    """The rule of `int_release_confirmations`, with its 90 % interval."""
    from scipy import stats

    t = float(stats.t.ppf(0.95, degrees))
    changes = {}
    for comparison, (old, new) in drawn.items():
        ratio = float(new.mean() / old.mean())
        half = t * known * (1 / len(old) + 1 / len(new)) ** 0.5 * ratio
        changes[comparison] = Change(ratio - 1, ratio - 1 - half, ratio - 1 + half)
    return changes


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--releases", type=int, default=2000, help="simulated releases per change")
    arguments = parser.parse_args()
    catalog, runs = catalogs.load(), list(chain.from_iterable(map(runs_of, arguments.folders)))
    policy = catalog.canaries
    columns = (
        "runtime",
        "GPU",
        "canaries",
        "one round, GPU-h",
        "full sweep",
        "without a canary",
        "unchanged, one round",
        "unchanged, all rounds",
        "bound of a round",
        "a week's rotation",
        "recorded",
    )
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for runtime, version in (("vllm", "999"), ("xdit", "999")):
        for gpu_model in ("H100", "H200"):
            cost = cost_of_release(catalog, runs, runtime, gpu_model, version)
            print(cost.row(policy.rounds, policy.weekly_gpu_hours))
    scatter = scatter_of(run for run in runs if run.configuration.task.output_unit is OutputUnit.TOKEN)
    print(f"\nmargin {policy.margin:.1%}; {len(_series(catalog))} canaries of vLLM")
    print("| true change of one canary | waits at once | after a second round | measured whole |")
    print("|---|---|---|---|")
    for change in CHANGES:
        shares = " | ".join(f"{share:.1%}" for share in decided(catalog, scatter, change, arguments.releases))
        print(f"| {change:.1%} | {shares} |")


if __name__ == "__main__":
    main()
