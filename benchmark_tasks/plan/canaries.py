"""Whether a release changed anything, by its canaries; what of the catalog waits if not; and its rotation.

    canary_series: each canary in turns with earlier releases on one GPU (old, new, new, old)
    decide: from their changes of energy, what waits on each GPU model
    split_off_waiting: a plan without the configurations that wait
    in_rotation: those that were measured longest ago, within a budget

What a release changed is worked out in dbt (`release_canaries`); nothing here divides. State is nowhere but
in the landed runs. Every doubt means that the whole catalog is measured.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from packaging.version import Version

from benchmark_tasks.catalog import Canary, Catalog, Deployment, Model
from benchmark_tasks.errors import UnknownVersion
from benchmark_tasks.plan.deployment import can_have, distribution_of, sweep_of
from benchmark_tasks.plan.landed import Landed, left_of_turns
from benchmark_tasks.plan.sweep import Sweep, SweepPoint
from benchmark_tasks.releases.version_numbers import read_version
from benchmark_tasks.results.schema import Run
from benchmark_tasks.vocabulary import (
    ROTATION_CAMPAIGN,
    ModelKind,
    RunStatus,
    RuntimeName,
    Weights,
)


@dataclass(frozen=True)
class CanarySeries:
    """One canary of a release in turns with earlier releases: sweeps in order, each on a server of its own.

    versions: the earlier releases.
    """

    kind: ModelKind
    gpu_model: str
    version: str
    versions: tuple[str, ...]
    sweeps: tuple[Sweep, ...]

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """What it should tell: one comparison per earlier release and batch size."""
        model_id, points = self.sweeps[0].model_id, self.sweeps[0].points
        return tuple(
            Comparison(self.kind, self.gpu_model, model_id, point.batch_size, version)
            for version in self.versions
            for point in points
        )


@dataclass(frozen=True)
class Comparison:
    """A canary at one batch size, under a release and under an earlier one."""

    kind: ModelKind
    gpu_model: str
    model_id: str
    batch_size: int
    old_version: str

    def __str__(self) -> str:
        """In words."""
        return f"{self.model_id} at batch {self.batch_size} on {self.gpu_model} against {self.old_version}"


@dataclass(frozen=True)
class Change:
    """Change of energy per output as a share, with its 90 % interval; `None` where it was not measured.

    contested: a person doubts it.
    """

    share: float | None
    low: float | None
    high: float | None
    contested: bool = False


class Outcome(StrEnum):
    """What a canary says of a release."""

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    UNDECIDED = "undecided"
    UNKNOWN = "not compared"


@dataclass(frozen=True)
class Decision:
    """What a release's canaries on one GPU model decided.

    waits: kinds of models whose configurations wait for the rotation; none if all is measured at once.
    why: in words, one line.
    """

    gpu_model: str
    waits: tuple[ModelKind, ...]
    why: str


def outcome(change: Change | None, margin: float) -> Outcome:
    """What a change means. Lower energy is a change like higher energy.

    Unchanged: the whole interval is within the margin. Changed: all of it is outside. A change that a person
    contests says neither.
    """
    if change is None or change.low is None or change.high is None:
        return Outcome.UNKNOWN
    if change.contested:
        return Outcome.UNDECIDED
    if -margin <= change.low and change.high <= margin:
        return Outcome.UNCHANGED
    return Outcome.CHANGED if change.high < -margin or change.low > margin else Outcome.UNDECIDED


def decide(
    series: Iterable[CanarySeries], changes: Mapping[Comparison, Change], margin: float
) -> tuple[Decision, ...]:
    """What waits on each GPU model that has canaries: all kinds with one if none changed, else nothing.

    An undecided canary counts as changed, and so does one without a figure: it failed, it does not fit, or
    its earlier release cannot be installed any more.
    """
    by_gpu: dict[str, list[CanarySeries]] = {}
    for entry in series:
        by_gpu.setdefault(entry.gpu_model, []).append(entry)
    decisions = []
    for gpu_model, entries in by_gpu.items():
        wanted = [comparison for entry in entries for comparison in entry.comparisons]
        told = {comparison: outcome(changes.get(comparison), margin) for comparison in wanted}
        others = [f"{each}: {told[each]}" for each in wanted if told[each] is not Outcome.UNCHANGED]
        if others:
            decisions.append(Decision(gpu_model, (), f"everything is measured: {'; '.join(others)}"))
        else:
            kinds = tuple(entry.kind for entry in entries)
            why = f"canaries changed nothing within {margin:.1%} ({', '.join(kinds)})"
            decisions.append(Decision(gpu_model, kinds, why))
    return tuple(decisions)


def to_measure_again(
    series: Iterable[CanarySeries], changes: Mapping[Comparison, Change], margin: float
) -> tuple[CanarySeries, ...]:
    """The series that another round may decide: a figure is there, and it is not within the margin.

    This is also the rerun that confirms a candidate.
    """
    return tuple(
        entry
        for entry in series
        if {outcome(changes.get(comparison), margin) for comparison in entry.comparisons}
        & {Outcome.CHANGED, Outcome.UNDECIDED}
    )


def with_a_server_missing(
    series: Iterable[CanarySeries], changes: Mapping[Comparison, Change], runs: Iterable[Run]
) -> tuple[CanarySeries, ...]:
    """The series that have a figure under each release, but not of each server, so that they have no change.

    runs: those of the series.
    """
    runs = tuple(runs)
    landed = Landed(runs)
    return tuple(
        entry
        for entry in series
        if any(changes.get(comparison) is None for comparison in entry.comparisons)
        and left_of_turns(entry.sweeps, runs).sweeps
        and all(landed.settled(sweep, point) for sweep in entry.sweeps for point in sweep.points)
    )


def canary_series(
    catalog: Catalog,
    runs: Iterable[Run],
    *,
    runtime: RuntimeName,
    version: str,
    gpu_model: str,
    weights: Weights | None = None,
    campaign_id: str | None = None,
    note: str | None = None,
) -> tuple[CanarySeries, ...]:
    """The canaries of a release on a GPU model, in turns with the last release and with the board's.

    The board's release is the one under which most configurations were measured last: the figures that wait
    are compared with it, so that small changes of several releases cannot add up unseen.

    Empty if there is no earlier release, no canary on this GPU model, or no package for it. The campaign's
    own runs change nothing, so that a campaign that is started again has the same series.
    """
    others = [run for run in runs if campaign_id is None or run.campaign_id != campaign_id]
    versions = earlier_releases(others, runtime=runtime, gpu_model=gpu_model, before=version)
    distribution = distribution_of(catalog, runtime, gpu_model)
    if not versions or distribution is None:
        return ()
    order = (*versions, version, version, *reversed(versions))
    series = []
    asked = {"campaign_id": campaign_id, "note": note}
    for kind, canary, model, place in _canaries_on(catalog, runtime, gpu_model, weights):
        sizes = canary.batch_sizes
        sweeps = tuple(
            sweep_of(catalog, model, canary.task, place, sizes, each, distribution, weights, runtime)
            for each in order
        )
        asking = tuple(sweep.model_copy(update=asked) for sweep in sweeps)
        series.append(CanarySeries(kind, gpu_model, version, versions, asking))
    return tuple(series)


def _canaries_on(
    catalog: Catalog, runtime: RuntimeName, gpu_model: str, weights: Weights | None
) -> Iterator[tuple[ModelKind, Canary, Model, Deployment]]:
    """Of each kind, the first canary that the catalog places on one such GPU."""
    for kind, canaries in catalog.canaries.kinds.items():
        for canary in canaries:
            model = catalog.models.get(canary.model_id)
            if model is None or model.runtime != runtime or not can_have(model, weights, runtime):
                continue
            places = model.tasks[canary.task].deployments if canary.task in model.tasks else ()
            place = next((each for each in places if (each.gpu_model, each.num_gpus) == (gpu_model, 1)), None)
            if place is not None:
                yield kind, canary, model, place
                break


def earlier_releases(
    runs: Iterable[Run], *, runtime: RuntimeName, gpu_model: str, before: str
) -> tuple[str, ...]:
    """The board's release and the last one before a version, oldest first: two, one if equal, or none.

    Only releases under which something was measured on this GPU model. What was started with options or
    variables of its own is none.
    """
    limit, newest = read_version(before), dict[str, Version]()
    for run in runs:
        keys, what = run.comparability, run.configuration
        version = _release(keys.runtime_version)
        here = (keys.runtime, what.gpu_model, run.status) == (runtime, gpu_model, RunStatus.COMPLETED)
        if here and version is not None and version < limit:
            configuration = what.configuration_id
            newest[configuration] = max(newest.get(configuration, version), version)
    if not newest:
        return ()
    count = Counter(newest.values())
    board = max(count, key=lambda version: (count[version], version))
    return tuple(str(version) for version in sorted({board, max(count)}))


def _release(version: str) -> Version | None:
    try:
        parsed = read_version(version)
    except UnknownVersion:
        return None
    return None if parsed.local else parsed


def split_off_waiting(
    catalog: Catalog, sweeps: Iterable[Sweep], runs: Iterable[Run], decisions: Iterable[Decision]
) -> tuple[list[Sweep], list[Sweep]]:
    """The sweeps to measure now, and those that wait.

    What was never measured under an earlier release does not wait: no figure stands for it.
    """
    waits = {decision.gpu_model: decision.waits for decision in decisions}
    known = Landed(runs)
    now, waiting = [], []
    for sweep in sweeps:
        kind = catalog.with_models([sweep.model] if sweep.model else []).model(sweep.model_id).kind
        may_wait = kind in waits.get(sweep.gpu_model, ())
        left = [point for point in sweep.points if may_wait and known.last_measured(sweep, point)]
        now += _with_points(sweep, [point for point in sweep.points if point not in left])
        waiting += _with_points(sweep, left)
    return now, waiting


def in_rotation(
    sweeps: Iterable[Sweep],
    runs: Iterable[Run],
    *,
    cost: Callable[[Sweep, SweepPoint], float | None],
    budget_gpu_hours: float,
    spent_gpu_hours: float = 0.0,
) -> list[Sweep]:
    """Of sweeps that wait, the configurations that were measured longest ago, within a budget.

    The first is measured although it costs more than the whole budget, if nothing was spent yet: otherwise it
    would wait for ever. What was never measured, or whose cost is unknown, is not in the rotation.

    Args:
        cost: GPU-hours of a point, all its repeats.
    """
    known, planned = Landed(runs), tuple(sweeps)
    waiting = [
        (measured, number, point)
        for number, sweep in enumerate(planned)
        for point in sweep.points
        if (measured := known.last_measured(sweep, point)) is not None
    ]
    chosen: dict[int, list[SweepPoint]] = {}
    for _, number, point in sorted(waiting, key=lambda entry: entry[:2]):
        hours = cost(planned[number], point)
        if hours is None:
            continue
        if spent_gpu_hours > 0 and spent_gpu_hours + hours > budget_gpu_hours:
            break
        spent_gpu_hours += hours
        chosen.setdefault(number, []).append(point)
    return [sweep for number, points in chosen.items() for sweep in _with_points(planned[number], points)]


def rotation_campaign(run_id: str) -> str:
    """The campaign of a rotation's runs."""
    return f"{ROTATION_CAMPAIGN}{run_id}"


def spent_in_week(runs: Iterable[Run], campaigns: str, *, gpu_model: str, now: datetime) -> float:
    """GPU-hours of the last seven days; a run without phases is counted from start to end.

    campaigns: how the ids of the campaigns begin.
    """
    since, hours = now - timedelta(days=7), 0.0
    for run in runs:
        counts = (run.campaign_id or "").startswith(campaigns) and run.finished_at >= since
        if counts and run.configuration.gpu_model == gpu_model:
            whole = (run.finished_at - run.started_at).total_seconds()
            seconds = sum(phase.seconds for phase in run.phases) or whole
            hours += seconds * run.configuration.num_gpus / 3600
    return hours


def _with_points(sweep: Sweep, points: Collection[SweepPoint]) -> list[Sweep]:
    in_order: Sequence[SweepPoint] = [point for point in sweep.points if point in points]
    return [sweep.model_copy(update={"points": tuple(in_order)})] if in_order else []
