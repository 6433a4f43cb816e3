"""A check of a mart, with the SQL that computes its column beside its name, reason and tolerance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from expectations.suites.checks import NEVER, Check, Severity, Tolerance


@dataclass(frozen=True, kw_only=True)
class MartCheck(Check):
    """A check of one mart.

    sql: expression of the column named like the check: NULL where the check does not apply. None: the
        check looks at columns that the mart has.
    """

    sql: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """What the check needs in the select list."""
        if self.sql is not None:
            return (f"{self.sql} as {self.name}",)
        return self.unique or ((self.looks_at,) if self.rows is None else ())


def critical(name: str, reason: str, sql: str, *, within: Tolerance = NEVER) -> MartCheck:
    """A row that fails it stops the publication. Without a tolerance, `sql` is 1 or true at a fault."""
    return MartCheck(name, Severity.CRITICAL, reason, within=within, sql=sql)


def warning(name: str, reason: str, sql: str, *, within: Tolerance = NEVER) -> MartCheck:
    """A row that fails it is published; the gate report shows the warning."""
    return MartCheck(name, Severity.WARNING, reason, within=within, sql=sql)


def select(checks: Sequence[MartCheck], row_name: str, table: str) -> str:
    """SQL of the columns that the checks look at, one row per row of `table`, each with its name."""
    columns = dict.fromkeys(column for check in checks for column in check.columns)
    return f"select {', '.join([f'{row_name} as row_name', *columns])} from {table}"


def numeric(frame: pd.DataFrame) -> pd.DataFrame:
    """Booleans as 0 and 1, NULLs kept: Great Expectations compares numbers."""
    for name in frame.columns:
        if frame[name].dtype == bool or (frame[name].dtype == object and _all_booleans(frame[name])):
            frame[name] = frame[name].astype("float64")
    return frame


def _all_booleans(column: pd.Series) -> bool:
    values = column.dropna()
    return len(values) > 0 and bool(values.map(lambda value: isinstance(value, bool)).all())
