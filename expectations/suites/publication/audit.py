"""Runs the publication suite on a candidate and the current publication."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expectations.gate.auditor import Audit, Auditor
from expectations.publications import Publication, attached
from expectations.suites.checks import Check, Level
from expectations.suites.mart_check import numeric
from expectations.suites.publication.comparisons import (
    COMPARABLE,
    COMPARISONS,
    KEYS_THAT_CAN_BE_ABSENT,
    Comparison,
)

if TYPE_CHECKING:
    import pandas as pd

_COLUMN_MISSING = re.compile("not found|does not exist|does not have")


def audit_against_last(auditor: Auditor, candidate: Path, last: Publication | None) -> Audit:
    """Compare a candidate with the current publication; without one there is nothing to find."""
    audit = Audit()
    if last is None:
        return audit
    with attached(candidate=candidate, last=last.database) as connection:
        _view_last(connection)
        for comparison in COMPARISONS:
            frame, checks = _compared(connection, comparison)
            audit += auditor.audit(
                Level.PUBLICATION,
                comparison.title,
                frame,
                checks,
                key=["row_name"],
                observed=_figures(frame, checks),
            )
    return audit


def _compared(connection: Any, comparison: Comparison) -> tuple[pd.DataFrame, tuple[Check, ...]]:
    """The columns of a comparison and its checks; one row for a person when a column is missing."""
    import duckdb
    import pandas as pd

    try:
        return numeric(connection.execute(comparison.sql).df()), comparison.checks
    except (duckdb.BinderException, duckdb.CatalogException) as error:
        if not _COLUMN_MISSING.search(str(error)):
            raise
        row_name = f"{comparison.title}: {str(error).splitlines()[0]}"
        return pd.DataFrame({"row_name": [row_name], COMPARABLE.name: [1.0]}), (COMPARABLE,)


def _view_last(connection: Any) -> None:
    """`last_leaderboard`: keys that the last publication did not record yet are NULL."""
    present = {name for name, *_ in connection.execute("describe last.marts.leaderboard").fetchall()}
    missing = [f", null as {key}" for key in KEYS_THAT_CAN_BE_ABSENT if key not in present]
    connection.execute(
        f"create temp view last_leaderboard as select *{''.join(missing)} from last.marts.leaderboard"
    )


def _figures(frame: pd.DataFrame, checks: tuple[Check, ...]) -> pd.DataFrame | None:
    """What a person reads about a row, whichever check it fails."""
    if "figures" not in frame.columns:
        return None
    figures = frame.drop_duplicates("row_name").set_index("row_name")["figures"]
    return figures.to_frame().assign(**{check.name: figures for check in checks})
