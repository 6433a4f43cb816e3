"""What is compared with the last publication: per comparison one SQL file, and the checks of its columns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmark_tasks.results.identity import COMPARABILITY_KEYS, Comparability, Configuration
from expectations.sql import load_sql
from expectations.suites.checks import NEVER, Check, Severity, Tolerance

SAME_BUT_VERSION = (
    "data_source",
    "configuration_id",
    *(key for key in COMPARABILITY_KEYS if key != "runtime_version"),
)
"""What rows of two versions of a runtime must share to be compared."""

KEYS_THAT_CAN_BE_ABSENT = tuple(
    key
    for kind in (Configuration, Comparability)
    for key, field in kind.model_fields.items()
    if not field.is_required() and field.default is None
)
"""Keys that older publications may lack: NULL there."""

VERSION_CHANGE = Tolerance(
    -0.33,
    0.5,
    "relative",
    "releases change energy per token by a few per cent; beyond it a person decides",
)


@dataclass(frozen=True)
class Comparison:
    """One comparison of the candidate with the last publication.

    title: names it in reports.
    file: SQL that gives `row_name`, one column named like each check, and perhaps `figures`: what a person
        reads about the row.
    """

    title: str
    file: str
    checks: tuple[Check, ...]

    @property
    def sql(self) -> str:
        """The text of its SQL file."""
        band = f"{VERSION_CHANGE.low:+.0%} to {VERSION_CHANGE.high:+.0%}"
        return load_sql(Path(__file__).parent / self.file, keys=SAME_BUT_VERSION, band=band)


def asks(name: str, reason: str, *, within: Tolerance = NEVER) -> Check:
    """A row that fails it stops the publication until a person approves it with a reason."""
    return Check(name, Severity.CRITICAL, reason, within=within, approvable=True)


COMPARISONS = (
    Comparison(
        "leaderboard rows of the last publication",
        "lost_configurations.sql",
        (
            asks(
                "no_configuration_lost",
                "a configuration was published before and is missing now",
                within=Tolerance(0, 0, "configurations", "no configuration lost since the last publication"),
            ),
        ),
    ),
    Comparison(
        "leaderboard against the last publication",
        "moved_energy.sql",
        (
            asks(
                "energy_moved_within_band",
                "energy differs from the last publication by more than the band",
                within=VERSION_CHANGE,
            ),
            asks("energy_not_lost", "an energy figure was published before and is missing now"),
        ),
    ),
    Comparison(
        "new versions against the last one published",
        "new_versions.sql",
        (
            asks(
                "version_changes_within_band",
                "a release changed energy by more than the band",
                within=VERSION_CHANGE,
            ),
        ),
    ),
    Comparison(
        "marts of the last publication",
        "lost_marts.sql",
        (asks("no_mart_lost", "a mart was published before and is missing now"),),
    ),
    Comparison(
        "run log against the last publication",
        "lost_runs.sql",
        (
            asks(
                "no_run_lost",
                "the run log has fewer runs than before: bundles are missing from the landing zone",
                within=Tolerance(1.0, None, "of the last publication's rows", "nothing deletes a raw run"),
            ),
        ),
    ),
)

COMPARABLE = asks("comparable_with_last", "the last publication lacks a column and cannot be compared")
