"""Which changes of energy wait for reruns, which of them fit into a budget, and what reruns have told."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark_tasks.catalog import Catalog
from benchmark_tasks.errors import CatalogError
from benchmark_tasks.plan import Sweep, SweepPoint, in_turns, spent_in_week, was_rerun
from benchmark_tasks.results.identity import (
    COMPARABILITY_KEYS,
    CONFIGURATION_KEYS,
    IDENTITY_KEYS,
    Comparability,
    Configuration,
)
from benchmark_tasks.results.schema import Run
from benchmark_tasks.settings import Settings
from benchmark_tasks.vocabulary import CONFIRMATION_CAMPAIGN
from expectations.history.release_news import CONTESTED, QUERY, sentence
from expectations.mart_now import mart_now
from expectations.publications import (
    all_publications,
    current,
    current_number,
    open_publication,
    query,
    require_current,
)
from expectations.publications.store import Publication
from expectations.sql import Row, rows_of

if TYPE_CHECKING:
    import duckdb

_CANDIDATES = Path(__file__).parent / "confirmation.sql"
_LOADS = Path(__file__).parent / "loads_of_several_releases.sql"
_TOLD = ("confirmed", "not confirmed")


@dataclass(frozen=True)
class News:
    """What reruns and persons said that they did not say before. lines: one per change."""

    words: tuple[str, ...]
    lines: tuple[str, ...]

    @property
    def title(self) -> str:
        """How many changes are confirmed, not confirmed and contested now, in one line."""
        counts = [f"{self.words.count(word)} {word}" for word in (*_TOLD, CONTESTED) if word in self.words]
        return f"Changes of energy: {', '.join(counts)}"


@dataclass(frozen=True)
class Candidate:
    """A change of energy between two releases that no reruns have told yet.

    comparability: of the later release. change: of energy per output, as a share.
    """

    configuration: Configuration
    comparability: Comparability
    earlier_version: str
    change: float

    def __str__(self) -> str:
        """In words."""
        what, keys = self.configuration, self.comparability
        return (
            f"{what.model_id} | {what.task} | {keys.runtime} {keys.runtime_version} in turns with "
            f"{self.earlier_version} | {what.where} | {what.load_label} | {keys.weights} weights"
        )


def candidates(settings: Settings) -> tuple[Candidate, ...]:
    """The candidates of the current publication, the largest change first.

    Raises:
        PublicationError: nothing is published.
    """
    with open_publication(require_current(settings)) as connection:
        return _candidates(connection)


def candidates_now(settings: Settings, *, say: Callable[[str], None]) -> tuple[Candidate, ...]:
    """The same with every run that has landed: the history is built for it, and thrown away.

    Raises:
        PublisherBusy, BuildError, DiskFull
    """
    with mart_now(settings, "release_history", say=say) as connection:
        return _candidates(connection)


def loads_of_several_releases(settings: Settings) -> int:
    """Number of loads at a request rate that the current publication has under more than one release.

    Their energy is not compared between releases, so none of them is a candidate.
    """
    item = current(settings)
    if item is None or not item.rows.get("energy_under_load"):
        return 0
    ((number,),) = query(settings, _LOADS.read_text()).rows
    return int(number)


def _candidates(connection: duckdb.DuckDBPyConnection) -> tuple[Candidate, ...]:
    recorded = connection.execute("select * from marts.release_history limit 0").description
    columns = {column for column, *_ in recorded}
    keys = [key if key in columns else f"null as {key}" for key in IDENTITY_KEYS]
    return tuple(
        Candidate(
            Configuration(**{key: row[key] for key in CONFIGURATION_KEYS}),
            Comparability(**{key: row[key] for key in COMPARABILITY_KEYS}),
            row["previous_runtime_version"],
            row["energy_change"],
        )
        for row in rows_of(connection, _CANDIDATES, keys=keys)
    )


def plan_confirmations(
    catalog: Catalog,
    waiting: Iterable[Candidate],
    runs: Sequence[Run],
    *,
    gpu_models: Collection[str],
    cost: Callable[[Sweep, SweepPoint], float | None],
    budget_gpu_hours: float,
    now: datetime,
    campaign_id: str,
    note: str | None = None,
    say: Callable[[str], object] = print,
) -> list[tuple[Candidate, tuple[Sweep, ...]]]:
    """The candidates to rerun now, with their sweeps; each fits whole into what is left of the budget.

    Whatever is left out is said in one line. The campaign's own runs change nothing, so that one that is
    started again has the same plan.

    Args:
        cost: GPU-hours of a point with its repeats; None if unknown.
        budget_gpu_hours: on each GPU model, in seven days.
    """
    others = [run for run in runs if run.campaign_id != campaign_id]
    left = {
        gpu_model: budget_gpu_hours
        - spent_in_week(others, CONFIRMATION_CAMPAIGN, gpu_model=gpu_model, now=now)
        for gpu_model in gpu_models
    }
    chosen: list[tuple[Candidate, tuple[Sweep, ...]]] = []
    for candidate in waiting:
        outcome = _reruns(catalog, candidate, others, left, cost, campaign_id, note)
        if isinstance(outcome, str):
            say(f"left out: {candidate}: {outcome}")
        else:
            chosen.append((candidate, outcome))
    return chosen


def _reruns(
    catalog: Catalog,
    candidate: Candidate,
    others: Sequence[Run],
    left: dict[str, float],
    cost: Callable[[Sweep, SweepPoint], float | None],
    campaign_id: str,
    note: str | None,
) -> tuple[Sweep, ...] | str:
    """The reruns of a candidate, taken off the budget that is left; or why there are none now."""
    what, keys = candidate.configuration, candidate.comparability
    if what.gpu_model not in left:
        return "no host with this GPU can be reached"
    if was_rerun(what, keys, others, campaign_id):
        return "it was rerun before, and that did not tell; see these runs in the quarantine and the run log"
    try:
        sweeps = in_turns(catalog, what, keys, candidate.earlier_version, campaign_id=campaign_id, note=note)
    except CatalogError as error:
        return str(error)
    hours = [cost(sweep, point) for sweep in sweeps for point in sweep.points]
    known = [each for each in hours if each is not None]
    if len(known) < len(hours):
        return "its GPU time is unknown"
    if sum(known) > left[what.gpu_model]:
        return f"{sum(known):.2g} GPU-hours, and {max(0.0, left[what.gpu_model]):.2g} of the week are left"
    left[what.gpu_model] -= sum(known)
    return sweeps


def newly_told(settings: Settings, publications: int) -> News:
    """What is said of changes in the current publication and was not so many publications before.

    A withdrawn contest is told, too: the change is again what reruns say. What the oldest publication that is
    kept said is not new: before it, nobody knows what was said.

    Raises:
        PublicationError
    """
    number = current_number(settings.published) or 0
    known = [each for each in all_publications(settings) if each.number <= number]
    if not publications or not known:
        return News((), ())
    before = {
        row["leaderboard_id"]: _said(row) for row in _changes(known[max(0, len(known) - 1 - publications)])
    }
    new = [
        row
        for row in _changes(known[-1])
        if row["confirmation"] == CONTESTED or (row["is_candidate"] and row["confirmation"] in _TOLD)
        if _said(row) != before.get(row["leaderboard_id"])
    ]
    return News(tuple(row["confirmation"] for row in new), tuple(sentence(row) for row in new))


def _said(row: Row) -> tuple[str, str | None, str | None]:
    """What is said of a change, and against it."""
    return row["confirmation"], row.get("contested_by"), row.get("contest_note")


def _changes(publication: Publication) -> list[dict[str, Any]]:
    with open_publication(publication) as connection:
        return rows_of(connection, QUERY, condition="energy_change is not null")
