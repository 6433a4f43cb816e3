"""Rows of the current publication, for the tab of a run."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark_tasks.errors import JouleboardError
from benchmark_tasks.settings import Settings
from expectations import publications
from expectations.sql import rows_of

_SQL = Path(__file__).parent / "rows.sql"


@dataclass(frozen=True)
class PublishedRow:
    """A row of the leaderboard. Energy in joules per output unit, throughput in units per second.

    latency: with its unit; None if it was not measured.
    """

    configuration_id: str
    runtime_version: str
    weights: str
    series: str
    batch_size: int
    output_unit: str
    repeats: int
    energy_per_output_joules: float | None
    throughput_per_second: float | None
    median_itl_ms: float | None
    batch_latency_seconds: float | None

    @property
    def key(self) -> tuple[str, str, str]:
        """What a planned sweep knows of it."""
        return self.configuration_id, self.runtime_version, self.weights


def published_rows(
    settings: Settings, configurations: Collection[str]
) -> dict[tuple[str, str, str], PublishedRow]:
    """Rows of these configurations, by `PublishedRow.key`; empty without a publication."""
    if not configurations:
        return {}
    try:
        current = publications.current(settings)
        if current is None:
            return {}
        with publications.open_publication(current) as connection:
            records = rows_of(connection, _SQL)
    except JouleboardError:
        return {}  # the widget says what is wrong with the publication
    rows = [_row(record) for record in records if record["configuration_id"] in configurations]
    return {row.key: row for row in reversed(rows)}


def _row(record: dict[str, Any]) -> PublishedRow:
    number, gpu_model = record.pop("num_gpus"), record.pop("gpu_model")
    where = f"{number}x {gpu_model}" if number else "no GPU"
    name = ", ".join((record.pop("nickname"), record.pop("task"), where))
    return PublishedRow(series=f"{name}, {record['runtime_version']}", **record)
