"""A sample of a candidate's rows, worked out again from their bundles: dbt's figures have a second witness.

Every publication checks other rows; `publications verify --deep` and the weekly housekeeping check them all.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from benchmark_tasks.results.store import Store
from benchmark_tasks.settings import Settings
from benchmark_tasks.vocabulary import CONTRIBUTOR_PREFIX, DataSource
from expectations.gate.auditor import Audit, Auditor
from expectations.rows import recompute, rows_by_id
from expectations.sql import rows_of_query
from expectations.suites.checks import NEVER, Check, Level, Severity

SAMPLED = 8
"""Rows per publication that rest on bundles, and as many imported ones."""

CHECK = Check(
    "figures_follow_from_source",
    Severity.CRITICAL,
    "the figures of this row are not those that its bundles, or its import, give when they are read again",
    within=NEVER,
)


_LISTED = f"""
    select
        leaderboard_id,
        run_ids,
        leaderboard.data_source = '{DataSource.JOULEBOARD}'
        or starts_with(leaderboard.data_source, '{CONTRIBUTOR_PREFIX}') as is_measured
    from marts.leaderboard inner join marts.row_evidence using (leaderboard_id)
    order by leaderboard_id
"""


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
        listed = rows_of_query(connection, _LISTED)
        in_cold = Store.of(settings).cold_run_ids()
        runs = {row["leaderboard_id"]: row["run_ids"].split(", ") for row in listed if row["is_measured"]}
        others = [row["leaderboard_id"] for row in listed if not row["is_measured"]]
        ids = _chosen(list(runs), seed, lambda row_id: in_cold.isdisjoint(runs[row_id]))
        measured = rows_by_id(connection, ids)
        imported = rows_by_id(connection, _chosen(others, seed))
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


def _chosen(ids: list[str], seed: str, usable: Callable[[str], bool] = lambda row_id: True) -> list[str]:
    """Some rows, in the order of ids. Only rows whose turn comes are asked whether they are usable."""
    shuffled = random.Random(seed).sample(ids, len(ids))
    return sorted(islice(filter(usable, shuffled), SAMPLED))
