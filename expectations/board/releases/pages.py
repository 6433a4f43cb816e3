"""Writes `releases.html`, a page per release, and the figure of their histories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark_tasks.catalog import Catalog
from benchmark_tasks.plan.versions import release_of
from expectations.board.addresses import RELEASES_FOLDER, release_page_name
from expectations.board.operations import SAVINGS
from expectations.board.reading.figures.figure import standalone
from expectations.board.releases import history
from expectations.board.releases.interval import interval_picture
from expectations.history.release_news import QUERY, ReleaseNews, news_of
from expectations.pages import render_page
from expectations.sql import Row, rows_of

if TYPE_CHECKING:
    import duckdb

ROOM = Path(__file__).parent
QUERIES = (*ROOM.glob("*.sql"), QUERY, SAVINGS)
FIGURE_FILE = f"figures/jouleboard-{history.NAME}.svg"
PAIRS_SHOWN = 30
"""Pairs of versions of each runtime that the page compares, the newest; the mart has all."""
_ENDS = ("energy_change_low", "energy_change_high")


@dataclass(frozen=True)
class Release:
    """One release: its row of `release_summary`, its page, and what it did in words.

    rows: its configurations, of `release_history`. canaries, savings: its rows of `release_canaries` and
    `canary_savings`.
    """

    summary: Row
    page: str
    news: ReleaseNews
    rows: tuple[Row, ...]
    canaries: tuple[Row, ...] = ()
    savings: tuple[Row, ...] = ()

    @property
    def updated_at(self) -> datetime:
        """When it was measured last, or a change of it contested."""
        contested = [row["contested_at"] for row in self.rows if row["confirmation"] == "contested"]
        moment: datetime = max([self.summary["last_finished_at"], *contested])
        return moment


def write_releases(
    folder: Path,
    connection: duckdb.DuckDBPyConnection,
    manifest: Mapping[str, Any],
    catalog: Catalog,
    links: Sequence[tuple[str, str]],
    models: Mapping[str, str],
) -> list[Release]:
    """Write the pages into the site's folder.

    connection: the publication's marts, in schema `marts`. models: address of each model's page, by its id.

    Returns the releases, those of a runtime together and the newest first.
    """
    tasks = {task.value: entry.display_name for task, entry in catalog.tasks.items()}
    shared = {"summary": manifest["summary"], "links": links, "models": models, "tasks": tasks}
    known = releases(connection)
    drawn = history.svg(rows_of(connection, ROOM / "history.sql"), tasks)
    if drawn is not None:
        (folder / FIGURE_FILE).parent.mkdir(parents=True, exist_ok=True)
        (folder / FIGURE_FILE).write_text(standalone(drawn))
    compared = pairs(connection)
    counted = {(row["data_source"], row["runtime"]): row["pairs"] for *_, rows in compared for row in rows}
    text = render_page(
        "board/releases/releases.html",
        **shared,
        releases=known,
        figure={"svg": drawn, "file": FIGURE_FILE, "title": history.TITLE, "needs": history.NEEDS},
        pairs=compared,
        more_pairs=sum(max(0, count - PAIRS_SHOWN) for count in counted.values()),
        versions=rows_of(connection, ROOM / "versions.sql"),
    )
    (folder / "releases.html").write_text(text)
    (folder / RELEASES_FOLDER).mkdir(exist_ok=True)
    above = {model: f"../{page}" for model, page in models.items()}
    for release in known:
        text = render_page("board/releases/release.html", **{**shared, "models": above}, release=release)
        (folder / release.page).write_text(text)
    return known


def releases(connection: duckdb.DuckDBPyConnection) -> list[Release]:
    """Every release that was measured, with its configurations, its canaries and its news."""
    summaries = rows_of(connection, ROOM / "summaries.sql")
    by_release = _by_release(rows_of(connection, QUERY, condition="true"))
    canaries = _by_release(rows_of(connection, ROOM / "canaries.sql"))
    savings = _by_release(rows_of(connection, SAVINGS))
    names = {_release(summary) for summary in summaries}
    return [
        Release(
            summary,
            f"{RELEASES_FOLDER}/{release_page_name(*_release(summary), names)}",
            news_of(by_release[_release(summary)]),
            by_release[_release(summary)],
            canaries.get(_release(summary), ()),
            savings.get(_release(summary), ()),
        )
        for summary in summaries
    ]


def pairs(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str, str, list[Row]]]:
    """Runtime, earlier and later version, and the comparisons of these two."""
    rows = _with_pictures(rows_of(connection, ROOM / "releases.sql", shown=PAIRS_SHOWN))
    return [
        (runtime, old, new, list(group))
        for (runtime, old, new), group in groupby(
            rows, key=lambda row: (row["runtime"], row["old_runtime_version"], row["runtime_version"])
        )
    ]


def _by_release(rows: Sequence[Row]) -> dict[tuple[str, str], tuple[Row, ...]]:
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault(_release(row), []).append(row)
    return {release: tuple(group) for release, group in found.items()}


def _release(row: Row) -> tuple[str, str]:
    return row["runtime"], release_of(row["runtime_version"])


def _with_pictures(rows: list[Row]) -> list[Row]:
    """The rows, each with the picture of its change; all pictures have the same scale."""
    widest = max((abs(row[end] or 0) for row in rows for end in _ENDS), default=0)
    for row in rows:
        low, high = (row[end] for end in _ENDS)
        row["picture"] = interval_picture(low, row["energy_change"], high, widest)
    return rows
