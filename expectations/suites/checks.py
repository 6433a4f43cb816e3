"""What a check is. Descriptions only: Great Expectations is imported late, by `gate/auditor.py`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """`CRITICAL` refuses (quarantines a run, stops a publication); `WARNING` is shown and passes."""

    CRITICAL = "critical"
    WARNING = "warning"


class Level(StrEnum):
    """Which suite a check belongs to, in the order in which they run."""

    RUN = "run"
    CROSS_RUN = "cross-run"
    MART = "mart"
    PUBLICATION = "publication"


@dataclass(frozen=True)
class Tolerance:
    """An allowed range, both ends included; `None` leaves an end open. `source`: where it comes from."""

    low: float | None
    high: float | None
    unit: str
    source: str

    def __str__(self) -> str:
        match (self.low, self.high):
            case (None, high):
                text = f"at most {high:g}"
            case (low, None):
                text = f"at least {low:g}"
            case (low, high) if low == high:
                text = f"exactly {low:g}"
            case (low, high):
                text = f"{low:g} to {high:g}"
        return f"{text} {self.unit}".strip()


NEVER = Tolerance(0, 0, "", "contract of the record")
"""For columns that are 1 (or true) where the fault is, and 0 elsewhere."""


@dataclass(frozen=True)
class Check:
    """One named rule.

    name: stands in findings and reports; for a `within` check also the column it looks at.
    reason: what a person reads when it fails.
    within: the column's values must lie in this range; NULL means that the check does not apply.
    not_null: the column must not be NULL.
    one_of: the column's values must be in this set.
    unique: these columns together must be a key.
    rows: the table must have a row count in this range.
    releasable: whether a person may release a run that fails it.
    approvable: whether a person may approve a candidate that fails it.
    """

    name: str
    severity: Severity
    reason: str
    column: str | None = None
    within: Tolerance | None = None
    not_null: bool = False
    one_of: tuple[str, ...] | None = None
    unique: tuple[str, ...] | None = None
    rows: Tolerance | None = None
    releasable: bool = True
    approvable: bool = False

    @property
    def looks_at(self) -> str:
        """The column a column check looks at."""
        return self.column or self.name

    @property
    def says_only_yes(self) -> bool:
        """Whether its column marks a fault with 1, which tells a person nothing more."""
        return self.within is not None and not self.within.unit and self.within.low == self.within.high == 0

    @property
    def rule(self) -> str:
        """The rule in words, for reports."""
        if self.says_only_yes:
            return "must not happen" if self.severity is Severity.CRITICAL else "reported when it happens"
        if self.within is not None:
            return f"{self.looks_at}: {self.within}"
        if self.not_null:
            return f"{self.looks_at}: present"
        if self.one_of is not None:
            return f"{self.looks_at}: one of {', '.join(self.one_of)}"
        if self.unique is not None:
            return f"unique: {', '.join(self.unique)}"
        if self.rows is not None:
            return f"rows: {self.rows}"
        raise ValueError(f"check {self.name} has no rule")

    @property
    def source(self) -> str:
        """Where its threshold comes from."""
        tolerance = self.within or self.rows
        return tolerance.source if tolerance else "contract of the table"


@dataclass(frozen=True)
class GateFinding:
    """One failed check: on one row (`key` names it), or on a whole table (`key` empty)."""

    check: str
    severity: Severity
    key: str
    observed: str
    reason: str

    def __str__(self) -> str:
        return f"{self.check}: {self.reason}" + (f" ({self.observed})" if self.observed else "")
