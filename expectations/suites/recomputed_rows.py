"""A sample of a candidate's rows, worked out again from their bundles: dbt's figures have a second witness.

Every publication checks other rows; `publications verify --deep` and the weekly housekeeping check them all.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from benchmark_tasks.results import cold
from benchmark_tasks.results.store import Store
from benchmark_tasks.settings import Settings
from expectations.gate.auditor import Audit, Auditor
from expectations.rows import Row, all_rows, recompute
from expectations.suites.checks import NEVER, Check, Level, Severity

SAMPLED = 8
"""Rows per publication that rest on bundles, and as many imported ones."""

CHECK = Check(
    "figures_follow_from_source",
    Severity.CRITICAL,
    "the figures of this row are not those that its bundles, or its import, give when they are read again",
    within=NEVER,
)


@dataclass(frozen=True)
class Sample:
    """The rows that were worked out again, by id, and the seed that chose them; kept in the manifest."""

    seed: str
    measured: tuple[str, ...]
    imported: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """For the manifest."""
        return {"seed": self.seed, "measured": list(self.measured), "imported": list(self.imported)}


def audit_sample(auditor: Auditor, candidate: Path, settings: Settings, seed: str) -> tuple[Audit, Sample]:
    """Work a sample of the candidate's rows out again. The same seed chooses the same rows.

    Rows of which a bundle is in cold storage are left to the weekly check, so that a publication never waits
    for that.
    """
    import duckdb
    import pandas as pd

    with closing(duckdb.connect(str(candidate), read_only=True)) as connection:
        rows = all_rows(connection)
    store = Store.of(settings)
    measured = _chosen(
        (row for row in rows if row.is_measured), seed, lambda row: not _any_is_cold(row, store)
    )
    imported = _chosen((row for row in rows if not row.is_measured), seed)
    sample = Sample(seed, tuple(row.id for row in measured), tuple(row.id for row in imported))
    found = list(recompute([*measured, *imported], settings))
    if not found:
        return Audit(), sample
    names = [result.row.name for result in found]
    frame = pd.DataFrame({"row_name": names, CHECK.name: [float(not result.equal) for result in found]})
    said = pd.DataFrame({CHECK.name: [result.what_differs for result in found]}, index=names)
    return auditor.audit(
        Level.MART, "a sample of rows, recomputed", frame, (CHECK,), key=["row_name"], observed=said
    ), sample


def _chosen(rows: Iterable[Row], seed: str, usable: Callable[[Row], bool] = lambda row: True) -> list[Row]:
    """Some rows, in the order of ids. Only rows whose turn comes are asked whether they are usable."""
    listed = list(rows)
    shuffled = random.Random(seed).sample(listed, len(listed))
    chosen = list(islice(filter(usable, shuffled), SAMPLED))
    return sorted(chosen, key=lambda row: row.id)


def _any_is_cold(row: Row, store: Store) -> bool:
    folders = [store.find(run_id) for run_id in row.run_ids]
    return any(folder is not None and cold.is_cold(folder) for folder in folders)
