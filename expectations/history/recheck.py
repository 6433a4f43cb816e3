"""Measures published configurations again: which ones, and whether the new runs confirm the figures.

The runs of a recheck are landed like any others, and the gate sets them aside (`not_a_recheck`): they are
compared with the published figures, and count only if a person releases them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmark_tasks.catalog import Catalog
from benchmark_tasks.errors import CatalogError
from benchmark_tasks.plan import Sweep, is_recheck, last_rechecks, sweep_again
from benchmark_tasks.results.identity import (
    COMPARABILITY_KEYS,
    CONFIGURATION_KEYS,
    IDENTITY_KEYS,
    Comparability,
    Configuration,
)
from benchmark_tasks.results.schema import Run
from benchmark_tasks.results.summary import gpu_uuids
from benchmark_tasks.settings import Settings
from benchmark_tasks.statistics import Change, relative_change
from benchmark_tasks.vocabulary import RunStatus
from expectations.publications import query
from expectations.sql import load_sql
from expectations.suites import Tolerance

CONFIDENCE = 0.95
"""Confidence of all statements of one recheck together (Bonferroni), because it compares many figures."""

RECHECK_BAND = Tolerance(
    -0.05, 0.05, "relative", "the closest two of ML.ENERGY's published replicates differ by 5 %"
)

_FIGURES = Path(__file__).parent / "figures.sql"


@dataclass(frozen=True)
class Measured:
    """One run: outputs per second, joules per output, and the UUIDs of its GPUs, if they are known."""

    gpus: str | None
    throughput: float | None
    energy: float | None


@dataclass(frozen=True)
class Figure:
    """The published figure of one configuration at one revision of its model: identity and runs."""

    configuration: Configuration
    comparability: Comparability
    output_unit: str
    last_measured_at: datetime
    runs: Sequence[Measured]

    @property
    def configuration_id(self) -> str:
        """Id of the configuration."""
        return self.configuration.configuration_id

    @property
    def label(self) -> str:
        """Short name for people."""
        what, keys = self.configuration, self.comparability
        where = "no GPU" if what.num_gpus == 0 else f"{what.num_gpus}x {what.gpu_model}"
        model = f"{what.model_id}@{keys.model_revision[:12]}" if keys.model_revision else what.model_id
        runtime = f"{keys.runtime} {keys.runtime_version}"
        return f"{model} | {what.task} | {runtime} | {where} | batch {what.batch_size}"


class Verdict(StrEnum):
    """Result of a recheck for one published figure."""

    CONFIRMED = "confirmed"
    DIFFERS = "differs"
    DIFFERS_ELSEWHERE = "differs, on another GPU"
    """Not counted as different: GPUs of one model differ by up to 8 % (docs/results.md)."""
    UNCLEAR = "unclear"
    TOO_FEW_REPEATS = "too few repeats"
    NOT_MEASURED = "not measured again"
    NOT_COMPARABLE = "not comparable"


@dataclass(frozen=True)
class Comparison:
    """One figure, published and measured again. `change` is relative to the published mean."""

    configuration: str
    figure: str
    published: float | None
    published_runs: int
    again: float | None
    again_runs: int
    change: float | None
    change_low: float | None
    change_high: float | None
    verdict: Verdict
    reason: str = ""

    def __str__(self) -> str:
        """In one line."""
        line = f"{self.verdict}: {self.configuration}, {self.figure}"
        if self.published is not None and self.again is not None:
            line += (
                f": {self.published:.4g} published ({self.published_runs} runs), "
                f"{self.again:.4g} now ({self.again_runs} runs)"
            )
        if self.change is not None:
            line += f", change {self.change:+.1%}"
        if self.change_low is not None and self.change_high is not None:
            line += f" ({self.change_low:+.1%} to {self.change_high:+.1%})"
        return f"{line}; {self.reason}" if self.reason else line


def published_figures(settings: Settings) -> tuple[Figure, ...]:
    """The figures of the current publication, of each configuration those measured last.

    Raises:
        PublicationError: nothing is published.
    """
    newest: dict[str, Figure] = {}
    recorded = query(settings, "select * from leaderboard limit 0").columns
    keys = [key if key in recorded else f"null as {key}" for key in IDENTITY_KEYS]
    run_revision = "model_revision" if "model_revision" in recorded else "null as model_revision"
    for row in query(settings, load_sql(_FIGURES, keys=keys, run_revision=run_revision)).records():
        figure = _figure(row)
        newest[figure.configuration_id] = figure
    return tuple(newest.values())


def _figure(row: Mapping[str, Any]) -> Figure:
    return Figure(
        configuration=Configuration(**{key: row[key] for key in CONFIGURATION_KEYS}),
        comparability=Comparability(**{key: row[key] for key in COMPARABILITY_KEYS}),
        output_unit=row["output_unit"],
        last_measured_at=row["last_measured_at"],
        runs=tuple(Measured(**run) for run in row["runs"]),
    )


def choose(
    figures: Iterable[Figure],
    *,
    size: int,
    canaries: Collection[str],
    gpu_models: Collection[str],
    rechecked: Mapping[str, datetime],
) -> tuple[Figure, ...]:
    """What to measure again: each canary's best batch size, and `size` others, longest not rechecked first.

    canaries: model ids. gpu_models: those of the fleet. rechecked: when each configuration was last
    rechecked; for one that was never rechecked, the time of its measurement counts.
    """
    here = [figure for figure in figures if figure.configuration.gpu_model in gpu_models]
    best: dict[tuple[str, str, str, int], Figure] = {}
    for figure in here:
        what = figure.configuration
        if what.model_id in canaries and what.num_gpus <= 1:
            place = (what.model_id, what.task, what.gpu_model, what.num_gpus)
            best[place] = min(best.get(place, figure), figure, key=_cost)
    chosen = {figure.configuration_id: figure for figure in best.values()}
    waiting = [figure for figure in here if figure.configuration_id not in chosen]
    waiting.sort(key=lambda figure: rechecked.get(figure.configuration_id, figure.last_measured_at))
    return (*chosen.values(), *waiting[:size])


def plan_recheck(
    catalog: Catalog,
    figures: Iterable[Figure],
    runs: Iterable[Run],
    *,
    gpu_models: Collection[str],
    size: int,
    repeats: int,
    campaign_id: str,
    note: str | None = None,
    say: Callable[[str], object] = print,
) -> list[Sweep]:
    """The sweeps that measure published figures again, chosen as `choose` says.

    A campaign that is started again has the same sweeps: its own runs do not change the choice. Figures that
    cannot be measured again are left out, each with one line that says why.
    """
    rechecks = [run for run in runs if is_recheck(run) and run.campaign_id != campaign_id]
    chosen = choose(
        figures,
        size=size,
        canaries=catalog.canaries.models,
        gpu_models=gpu_models,
        rechecked=last_rechecks(rechecks),
    )
    sweeps = []
    for figure in chosen:
        try:
            sweep = sweep_again(
                catalog, figure.configuration, figure.comparability, repeats=repeats, note=note
            )
            sweeps.append(sweep.model_copy(update={"campaign_id": campaign_id}))
        except CatalogError as error:
            say(f"left out: {figure.label}: {error}")
    return sweeps


def compare(figures: Iterable[Figure], runs: Iterable[Run]) -> tuple[Comparison, ...]:
    """Each published figure beside its new runs; energy only if both have it.

    Only runs on GPUs that measured both are compared, if there are such GPUs.
    """
    by_configuration: dict[str, list[Run]] = {}
    for run in runs:
        by_configuration.setdefault(run.configuration.configuration_id, []).append(run)
    pairs = [(figure, by_configuration.get(figure.configuration_id, [])) for figure in figures]
    statements = sum(2 if _energies(figure.runs) else 1 for figure, _ in pairs)
    confidence = 1 - (1 - CONFIDENCE) / max(1, statements)
    return tuple(comparison for figure, again in pairs for comparison in _compare(figure, again, confidence))


def _compare(figure: Figure, runs: Sequence[Run], confidence: float) -> list[Comparison]:
    comparable = [run for run in runs if run.comparability == figure.comparability]
    verdict: Verdict | None = None
    reason = ""
    if not comparable:
        verdict = Verdict.NOT_COMPARABLE if runs else Verdict.NOT_MEASURED
        reason = (
            figure.comparability.differences(runs[0].comparability) if runs else "no run of it was landed"
        )
    settled = [run for run in comparable if _settled(run)]
    if comparable and not settled:
        verdict, reason = Verdict.NOT_MEASURED, "no run of it completed and settled"
    before, now, elsewhere = _on_the_same_gpus(figure.runs, [_measured(run) for run in settled])
    unit = figure.output_unit
    speeds = _side(
        figure,
        f"{unit}s/s",
        published=_speeds(before),
        again=_speeds(now),
        confidence=confidence,
        verdict=verdict,
        reason=reason,
    )
    if not _energies(figure.runs):
        return [speeds]
    energies = _side(
        figure,
        f"J/{unit}",
        published=_energies(before),
        again=_energies(now),
        confidence=confidence,
        verdict=verdict,
        reason=reason,
    )
    if elsewhere and energies.verdict is Verdict.DIFFERS:
        energies = replace(energies, verdict=Verdict.DIFFERS_ELSEWHERE, reason=elsewhere)
    return [speeds, energies]


def _on_the_same_gpus(
    before: Sequence[Measured], now: Sequence[Measured]
) -> tuple[Sequence[Measured], Sequence[Measured], str]:
    """The runs on GPUs that measured both; without such GPUs all runs, and a text that names the GPUs."""
    old, new = ({run.gpus for run in side} for side in (before, now))
    common = {gpus for gpus in old & new if gpus is not None}
    if common:
        return [run for run in before if run.gpus in common], [run for run in now if run.gpus in common], ""
    if not old or not new or None in old | new:
        return before, now, ""
    published, again = (" and ".join(sorted(filter(None, gpus))) for gpus in (old, new))
    return before, now, f"published on {published}, now on {again}"


def _side(
    figure: Figure,
    name: str,
    *,
    published: Sequence[float],
    again: Sequence[float],
    confidence: float,
    verdict: Verdict | None,
    reason: str,
) -> Comparison:
    change = relative_change(published, again, confidence)
    if verdict is None:
        verdict = _verdict(change) if again else Verdict.NOT_MEASURED
    return Comparison(
        configuration=figure.label,
        figure=name,
        published=fmean(published) if published else None,
        published_runs=len(published),
        again=fmean(again) if again else None,
        again_runs=len(again),
        change=change.share if change else None,
        change_low=change.low if change else None,
        change_high=change.high if change else None,
        verdict=verdict,
        reason=reason,
    )


def _verdict(change: Change | None) -> Verdict:
    """Confirmed if the interval is inside the band, different if it is outside; otherwise unclear."""
    if change is None or change.low is None or change.high is None:
        return Verdict.TOO_FEW_REPEATS
    assert RECHECK_BAND.low is not None and RECHECK_BAND.high is not None
    if RECHECK_BAND.low <= change.low and change.high <= RECHECK_BAND.high:
        return Verdict.CONFIRMED
    outside = change.high < RECHECK_BAND.low or change.low > RECHECK_BAND.high
    return Verdict.DIFFERS if outside else Verdict.UNCLEAR


def _settled(run: Run) -> bool:
    window = run.window_steady
    return run.status is RunStatus.COMPLETED and window is not None and window.settled


def _measured(run: Run) -> Measured:
    """The figures of a settled run."""
    window, counted = run.window_steady, run.energy_source.is_counter
    assert window is not None and window.outputs is not None
    assert window.start_seconds is not None and window.end_seconds is not None
    return Measured(
        gpus=gpu_uuids(run),
        throughput=window.outputs / (window.end_seconds - window.start_seconds),
        energy=window.joules_per_output if counted else None,
    )


def _speeds(runs: Iterable[Measured]) -> list[float]:
    return [run.throughput for run in runs if run.throughput is not None]


def _energies(runs: Iterable[Measured]) -> list[float]:
    return [run.energy for run in runs if run.energy is not None]


def _cost(figure: Figure) -> tuple[bool, float]:
    """Sort key: energy per output; figures without energy come after, by speed."""
    energies, speeds = _energies(figure.runs), _speeds(figure.runs)
    if energies:
        return (False, fmean(energies))
    return (True, -fmean(speeds) if speeds else 0.0)
