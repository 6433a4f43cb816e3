"""What canaries say of a release, from the marts; what they may cost, and what the rotation takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.version import Version

from benchmark_tasks.plan import Change, Comparison, Plan, Sweep, SweepPoint
from benchmark_tasks.plan.versions import how_started
from benchmark_tasks.settings import Settings
from benchmark_tasks.vocabulary import ModelKind, RuntimeName
from expectations.history.costs import estimate, gpu_hours_per_run
from expectations.mart_now import mart_now
from expectations.publications import query
from expectations.publications.database import literal
from expectations.sql import load_sql

if TYPE_CHECKING:
    import duckdb

_CHANGES = Path(__file__).parent / "canaries.sql"
_UNCHANGED = Path(__file__).parent / "unchanged.sql"


def canary_changes_now(
    settings: Settings, runtime: RuntimeName, version: str, *, say: Callable[[str], None]
) -> dict[Comparison, Change]:
    """How the canaries of a release changed against earlier ones, with every run that has landed.

    Raises:
        PublisherBusy, BuildError, DiskFull
    """
    with mart_now(settings, "release_canaries", say=say) as connection:
        return canary_changes(connection, runtime, version)


def canary_changes(
    connection: duckdb.DuckDBPyConnection, runtime: RuntimeName, version: str
) -> dict[Comparison, Change]:
    """The same from marts that are open. Of several series of a canary, the one that changed most."""
    text = load_sql(_CHANGES, runtime=literal(runtime), runtime_version=literal(version))
    changes: dict[Comparison, Change] = {}
    for kind, gpu_model, model_id, batch_size, old, *figures in connection.execute(text).fetchall():
        comparison = Comparison(ModelKind(kind), gpu_model, model_id, batch_size, old)
        change = Change(*figures)
        changes[comparison] = max(changes.get(comparison, change), change, key=_size)
    return changes


def _size(change: Change) -> tuple[bool, bool, float]:
    """Sort key: contested ones and those without an interval count most."""
    return change.contested, change.low is None, abs(change.share or 0.0)


def reason_without_canaries(
    settings: Settings, canaries: Sequence[Sweep], whole: Sequence[Sweep], most: float
) -> str | None:
    """Why canaries are not worth their GPU time, in words; None if they are, or if the costs are unknown.

    canaries: the sweeps of one more round. whole: a full sweep. most: share of its cost.
    """
    cost = estimate(settings, Plan(sweeps=tuple(canaries))).gpu_hours
    full = estimate(settings, Plan(sweeps=tuple(whole)))
    if cost is None or full.gpu_hours is None or full.unknown_on_gpus or cost <= most * full.gpu_hours:
        return None
    return (
        f"canaries cost {cost:.2g} GPU-hours, more than {most:.0%} of the {full.gpu_hours:.2g} of all sweeps"
    )


def unchanged_releases(settings: Settings) -> dict[tuple[RuntimeName, str], str]:
    """The newest release that stands in for rows of the current publication, by runtime and GPU model.

    Raises:
        PublicationError: nothing is published.
    """
    newest: dict[tuple[RuntimeName, str], str] = {}
    for row in query(settings, _UNCHANGED.read_text()).records():
        key = row["runtime"], row["gpu_model"]
        version = row["canaries_unchanged_until"]
        if how_started(version):
            continue
        newest[key] = max(newest.get(key, version), version, key=Version)
    return newest


def cost_of_points(settings: Settings) -> Callable[[Sweep, SweepPoint], float | None]:
    """GPU-hours of a point with all its repeats, from earlier runs of the configuration; None if unknown."""
    costs = gpu_hours_per_run(settings)

    def cost(sweep: Sweep, point: SweepPoint) -> float | None:
        per_run = costs.get(sweep.configuration(point).configuration_id)
        return None if per_run is None else per_run * point.repeats

    return cost
