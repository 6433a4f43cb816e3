"""What a release did to energy, in words: for the page, the feed and the notification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark_tasks.plan.versions import release_of
from expectations.pages.names import runtime_title
from expectations.pages.numbers import exact_per_cent
from expectations.publications.database import literal
from expectations.sql import rows_of

if TYPE_CHECKING:
    import duckdb

QUERY = Path(__file__).parent / "release_news.sql"
CONTESTED = "contested"
"""The word for a change to which a person objects, whatever reruns say."""
SHOWN = 10
"""Configurations that the text names; the page of the release has all."""


@dataclass(frozen=True)
class ReleaseNews:
    """A release in words. title: one line. lines: one per configuration that was compared."""

    title: str
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """Title and lines, for a message in plain text."""
        more = len(self.lines) - SHOWN
        rest = (f"and {more} more",) if more > 0 else ()
        return "\n".join((self.title, *self.lines[:SHOWN], *rest))


def release_news(connection: duckdb.DuckDBPyConnection, runtime: str, version: str) -> ReleaseNews | None:
    """The news of one release; None if it was not measured.

    connection: a publication's marts, in schema `marts`.
    """
    rows = rows_of(connection, QUERY, condition=f"runtime = {literal(runtime)}")
    of_release = [row for row in rows if release_of(row["runtime_version"]) == version]
    return news_of(of_release) if of_release else None


def news_of(rows: Sequence[Mapping[str, Any]]) -> ReleaseNews:
    """The news from the rows of `release_history` of one release, in the order in which they are named."""
    compared = [row for row in rows if row["energy_change"] is not None]
    several_tasks = len({row["task"] for row in compared}) > 1
    return ReleaseNews(
        f"{runtime_title(rows[0]['runtime'])} {release_of(rows[0]['runtime_version'])}:"
        f" {_summary(rows, compared)}",
        tuple(sentence(row, with_task=several_tasks) for row in compared),
    )


def sentence(row: Mapping[str, Any], *, with_task: bool = False) -> str:
    """One change in one line.

    For example: vLLM 0.27.0: energy per token -3.3 % (-3.6 to -3.0) at batch 64, Qwen3-8B, H100, confirmed.

    row: of `release_history`, with a change. with_task: name the task, too.
    """
    low, high = row["energy_change_low"], row["energy_change_high"]
    interval = "" if low is None else f" ({_share(low)} to {_share(high)})"
    gpus = row["gpu_model"] if row["num_gpus"] == 1 else f"{row['num_gpus']}x {row['gpu_model']}"
    weights = "" if row["weights"] in (None, "real") else f" ({row['weights']} weights)"
    parts = (
        f"{_release(row)}: energy per {row['output_unit']} {exact_per_cent(row['energy_change'])}{interval}"
        f" at batch {row['batch_size']}",
        f"{row['model_id'].rpartition('/')[2]}{weights}",
        *((row["task"],) if with_task else ()),
        gpus,
        *(() if row["previous_on_same_gpus"] else ("on different GPUs",)),
        _result(row),
    )
    return ", ".join(parts)


def _release(row: Mapping[str, Any]) -> str:
    return f"{runtime_title(row['runtime'])} {row['runtime_version']}"


def _share(change: float) -> str:
    return exact_per_cent(change).removesuffix(" %")


def _result(row: Mapping[str, Any]) -> str:
    """What may be said of the change: the verdict where it shows none, else what reruns and persons say."""
    if row["confirmation"] == CONTESTED:
        return f"contested by {row['contested_by']} (reruns: {row['rerun_result']}): {row['contest_note']}"
    if row["energy_verdict"] in ("better", "worse"):
        return str(row["confirmation"])
    return str(row["energy_verdict"])


def _summary(rows: Sequence[Mapping[str, Any]], compared: Sequence[Mapping[str, Any]]) -> str:
    measured = f"{len(rows)} configuration{'' if len(rows) == 1 else 's'} measured"
    if not compared:
        return f"{measured}, none compared with an earlier release"
    lower, higher = (
        sum(row["energy_verdict"] == verdict for row in compared) for verdict in ("better", "worse")
    )
    confirmed, contested = (
        sum(row["confirmation"] == word for row in compared) for word in ("confirmed", CONTESTED)
    )
    return (
        f"{measured}, {len(compared)} compared with an earlier release:"
        f" energy lower in {lower}, higher in {higher}; {confirmed} confirmed"
        + (f", {contested} contested" if contested else "")
    )
