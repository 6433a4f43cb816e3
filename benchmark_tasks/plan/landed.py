"""Which landed runs count for a sweep, and what is still missing of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from benchmark_tasks.plan.sweep import Sweep, SweepPoint
from benchmark_tasks.results.identity import COMPARABILITY_KEYS
from benchmark_tasks.results.schema import Run
from benchmark_tasks.runtimes.weights_folder import is_content_hash
from benchmark_tasks.vocabulary import RECHECK_CAMPAIGN, RunStatus, Weights
from benchmark_tasks.workloads.set_names import name_of

_ASKED_FOR = tuple(key for key in COMPARABILITY_KEYS if key in Sweep.model_fields or hasattr(Sweep, key))
"""The comparability keys that a sweep asks for; it asks for a request set by name, not by id."""

_Key = tuple[object, ...]
_ANY_COMMIT, _ANY_FOLDER = object(), object()
"""In place of the revision, where a sweep names none."""


def closed_loop_maximum(sweep: Sweep, runs: Iterable[Run]) -> float | None:
    """Most requests per second that these runs answered in a closed loop of the sweep's configuration.

    At any batch size up to the sweep's, because its server answers no more at once. `None` without such runs.
    """
    most = max(point.batch_size for point in sweep.points)
    usable = [run for run in runs if run.configuration.batch_size <= most and _has_result(run)]
    sizes = {run.configuration.batch_size for run in usable}
    wanted = {_key_of_point(sweep, SweepPoint(batch_size=size)) for size in sizes}
    rates = (_requests_per_second(run) for run in usable if wanted.intersection(_keys_of_run(run)))
    return max((rate for rate in rates if rate is not None), default=None)


def _requests_per_second(run: Run) -> float | None:
    """Tokens per second of the window over the mean length of answers."""
    window, length = run.window_steady, run.requests and run.requests.mean_output_tokens
    if not length or window is None or window.start_seconds is None or window.end_seconds is None:
        return None
    return (window.output_tokens or 0) / length / (window.end_seconds - window.start_seconds)


def is_recheck(run: Run) -> bool:
    """Whether a run was measured to confirm what is published."""
    return (run.campaign_id or "").startswith(RECHECK_CAMPAIGN)


def runs_that_count(runs: Iterable[Run], *, campaign_id: str | None, force: bool) -> list[Run]:
    """The runs that count as measured.

    A recheck compares with what is published; it is not a repeat. With `force` only the campaign's own runs
    count, so that a campaign that is started again goes on where it stopped.
    """
    if force:
        return [run for run in runs if campaign_id is not None and run.campaign_id == campaign_id]
    return [run for run in runs if not is_recheck(run)]


def still_missing(sweep: Sweep, runs: Iterable[Run]) -> Sweep | None:
    """The part of a sweep that these runs leave to be measured; `None` if nothing is left."""
    return Landed(runs).left_of(sweep)


def what_is_missing(sweeps: Iterable[Sweep], runs: Iterable[Run]) -> list[Sweep]:
    """The parts of these sweeps that are not measured by these runs; complete sweeps are left out."""
    landed = Landed(runs)
    return [left for sweep in sweeps if (left := landed.left_of(sweep))]


@dataclass(frozen=True)
class TurnsLeft:
    """What a series of sweeps in turns leaves to be measured, in its order, and where.

    gpu_uuids: of the GPUs where the rest has to be measured, sorted; empty if they may be any.
    anew: what has to be measured on other GPUs instead; what did not fit is not in it.
    """

    sweeps: tuple[Sweep, ...]
    gpu_uuids: tuple[str, ...] = ()
    anew: tuple[Sweep, ...] = ()

    @property
    def runs(self) -> int:
        """How many runs are left."""
        return sum(point.repeats for sweep in self.sweeps for point in sweep.points)


def left_of_turns(
    sweeps: Iterable[Sweep], runs: Iterable[Run], *, rounds: int = 1, gpu_uuids: Collection[str] = ()
) -> TurnsLeft:
    """What these runs leave of a series that has to be measured on the same GPUs.

    Releases are compared on the same GPUs, so a series counts where all of it is of the same GPUs. What is
    left goes on where least of it is missing; if as much is missing on several GPUs, where one of its runs
    landed last. A run that did not fit counts everywhere. Sweeps of a series may be equal (A B B A): a run
    that landed counts for the first of them only.

    rounds: how often the series is wanted. gpu_uuids: of the only GPUs whose runs count.
    """
    sweeps, everywhere = tuple(sweeps), list[Run]()
    wanted = {_key_of_point(sweep, point) for sweep in sweeps for point in sweep.points}
    by_gpus: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        here = tuple(sorted(gpu.uuid for gpu in run.provenance.gpus))
        if run.status is RunStatus.INFEASIBLE:
            everywhere.append(run)
        elif gpu_uuids and here != tuple(sorted(gpu_uuids)):
            continue
        elif _has_result(run) and wanted.intersection(_keys_of_run(run)):
            by_gpus.setdefault(here, []).append(run)
    whole = {here: _whole_series(sweeps, [*everywhere, *own], rounds) for here, own in by_gpus.items()}
    missing = rounds - sum(whole.values())
    if missing <= 0:
        return TurnsLeft(())
    anew = _left_in_order(sweeps * missing, everywhere)
    begun = [
        TurnsLeft(_left_in_order(sweeps * (whole[here] + missing), [*everywhere, *own]), here, anew)
        for here, own in sorted(by_gpus.items(), key=lambda item: max(run.finished_at for run in item[1]))
    ]
    nowhere = TurnsLeft(anew, tuple(sorted(gpu_uuids)), anew)
    best = min(reversed(begun), key=lambda left: left.runs, default=nowhere)
    return best if best.runs < nowhere.runs else nowhere


def left_when_tried_again(planned: TurnsLeft, runs: Iterable[Run], here: Collection[str]) -> TurnsLeft:
    """What turns that were planned still leave, on a host with these GPUs.

    Nothing, if they are whole on any GPU. They go on where they were planned or where this host has begun
    them anew: where less is left. What was begun on another host's GPUs cannot go on here.

    Args:
        planned: as they were planned; `gpu_uuids` only if earlier turns ran there.
        runs: those that landed since.
        here: UUIDs of the GPUs that can be used here.
    """
    runs, all_turns = tuple(runs), planned.anew or planned.sweeps
    where_planned = left_of_turns(planned.sweeps, runs, gpu_uuids=planned.gpu_uuids)
    if not where_planned.sweeps or not left_of_turns(all_turns, runs).sweeps:
        return TurnsLeft(())
    can_go_on = [
        run
        for run in runs
        if run.status is RunStatus.INFEASIBLE or {gpu.uuid for gpu in run.provenance.gpus} <= set(here)
    ]
    begun = left_of_turns(all_turns, can_go_on)
    is_here = set(planned.gpu_uuids) <= set(here)
    if not planned.gpu_uuids or (begun.gpu_uuids and not is_here):
        return begun
    return min(replace(where_planned, anew=begun.anew), begun, key=lambda left: left.runs)


def _whole_series(sweeps: tuple[Sweep, ...], runs: Sequence[Run], most: int) -> int:
    """How often these runs have the whole series, up to a number."""
    return max(count for count in range(most + 1) if not _left_in_order(sweeps * count, runs))


def _left_in_order(sweeps: Iterable[Sweep], runs: Iterable[Run]) -> tuple[Sweep, ...]:
    landed, used, left = Landed(runs), Counter[_Key](), []
    for sweep in sweeps:
        points = []
        for point in sweep.points:
            key = _key_of_point(sweep, point)
            settled = min(landed.settled(sweep, point) - used[key], point.repeats)
            used[key] += int(settled)
            if settled < point.repeats:
                points.append(point.model_copy(update={"repeats": int(point.repeats - settled)}))
        if points:
            left.append(sweep.model_copy(update={"points": tuple(points)}))
    return tuple(left)


class Landed:
    """How many settled runs each configuration has, when the last, and what does not fit the device."""

    def __init__(self, runs: Iterable[Run]) -> None:
        runs = tuple(runs)
        self._completed = Counter(key for run in runs if _has_result(run) for key in _keys_of_run(run))
        self._last: dict[_Key, datetime] = {}
        for run in filter(_has_result, runs):
            for key in map(_any_version, _keys_of_run(run)):
                self._last[key] = max(self._last.get(key, run.finished_at), run.finished_at)
        infeasible = (run for run in runs if run.status is RunStatus.INFEASIBLE)
        self._infeasible = {key for run in infeasible for key in _keys_of_run(run)}

    def last_measured(self, sweep: Sweep, point: SweepPoint) -> datetime | None:
        """When a point was last measured under any version, all else being equal; `None` if never."""
        return self._last.get(_any_version(_key_of_point(sweep, point)))

    def left_of(self, sweep: Sweep) -> Sweep | None:
        """The points still to be measured, each with its missing repeats; `None` if there is none."""
        points = tuple(
            point.model_copy(update={"repeats": int(repeats)})
            for point in sweep.points
            if (repeats := point.repeats - self.settled(sweep, point)) > 0
        )
        return sweep.model_copy(update={"points": points}) if points else None

    def settled(self, sweep: Sweep, point: SweepPoint) -> float:
        """How many repeats of a point count as measured: infinitely many if it does not fit the device."""
        key = _key_of_point(sweep, point)
        return float("inf") if key in self._infeasible else self._completed[key]


def _has_result(run: Run) -> bool:
    """A run whose load never settled has no figure, so it is measured again.

    A load that the server cannot sustain is a result.
    """
    settled = run.window_steady is not None and run.window_steady.settled
    unsustained = run.arrivals is not None and not run.arrivals.sustained
    return run.status is RunStatus.COMPLETED and (settled or unsustained)


def _any_version(key: _Key) -> _Key:
    place = 2 + _ASKED_FOR.index("runtime_version")
    return (*key[:place], *key[place + 1 :])


def _keys_of_run(run: Run) -> list[_Key]:
    """Its key, and that of a sweep which asks for these real weights without naming their revision."""
    keys = (getattr(run.comparability, key) for key in _ASKED_FOR)
    exact = (run.configuration.configuration_id, name_of(run.comparability.request_set_id), *keys)
    if run.comparability.weights is not Weights.REAL:
        return [exact]
    return [exact, _any_revision(exact, from_folder=is_content_hash(run.comparability.model_revision))]


def _any_revision(key: _Key, *, from_folder: bool) -> _Key:
    place = 2 + _ASKED_FOR.index("model_revision")
    return (*key[:place], _ANY_FOLDER if from_folder else _ANY_COMMIT, *key[place + 1 :])


def _key_of_point(sweep: Sweep, point: SweepPoint) -> _Key:
    mark = sweep.procedure.load_mark(sweep.length_control) if sweep.procedure else ""
    keys = (getattr(sweep, key) for key in _ASKED_FOR)
    exact = (
        sweep.configuration(point).configuration_id,
        sweep.request_set + sweep.sampling.mark + mark,
        *keys,
    )
    if not sweep.names_no_revision:
        return exact
    return _any_revision(exact, from_folder=sweep.weights_folder is not None)
