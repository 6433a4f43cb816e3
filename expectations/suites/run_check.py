"""A check of runs, with the function that computes its column beside its name, reason and tolerance."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pandas as pd

from expectations.gate.auditor import Audit, Auditor
from expectations.suites.checks import NEVER, Check, Level, Severity, Tolerance
from expectations.suites.landed_runs import LandedRuns

SPEED_ONLY = "__speed_only"
"""Ends the name of the lenient half of a graded check."""

Column = Callable[[LandedRuns], pd.Series]


@dataclass(frozen=True, kw_only=True)
class RunCheck(Check):
    """A check of runs.

    values: one value per run; NULL where the check does not apply, or where its value is not known.
    observed: text that a person reads in place of the number.
    """

    values: Column
    observed: Column | None = None


def critical(
    name: str,
    reason: str,
    values: Column,
    *,
    within: Tolerance = NEVER,
    observed: Column | None = None,
    releasable: bool = True,
) -> RunCheck:
    """A run that fails it is set aside. Without a tolerance, `values` is 1 (or true) where the fault is."""
    return RunCheck(
        name,
        Severity.CRITICAL,
        reason,
        within=within,
        releasable=releasable,
        values=values,
        observed=observed,
    )


def warning(
    name: str,
    reason: str,
    values: Column,
    *,
    within: Tolerance = NEVER,
    observed: Column | None = None,
) -> RunCheck:
    """A run that fails it is accepted; the gate report shows the warning."""
    return RunCheck(name, Severity.WARNING, reason, within=within, values=values, observed=observed)


def graded(name: str, reason: str, values: Column, *, within: Tolerance = NEVER) -> tuple[RunCheck, RunCheck]:
    """Critical for runs with energy; a warning for runs that count for speed only."""
    return (
        critical(name, reason, lambda runs: values(runs).where(runs["has_energy"]), within=within),
        warning(
            name + SPEED_ONLY, reason, lambda runs: values(runs).where(~runs["has_energy"]), within=within
        ),
    )


@dataclass(frozen=True)
class CheckedColumns:
    """`values`: the run id and one column per check. `observed`: texts, where a run failed."""

    values: pd.DataFrame
    observed: pd.DataFrame


def columns(checks: Iterable[RunCheck], runs: LandedRuns) -> CheckedColumns:
    """What Great Expectations compares with the tolerances."""
    checks, index = tuple(checks), runs.table.index
    values = {check.name: number(check.values(runs)) for check in checks}
    texts = {
        check.name: check.observed(runs.only(failed))
        for check in checks
        if check.observed is not None
        and len(failed := values[check.name].index[outside(check, values[check.name])])
    }
    frame = pd.DataFrame({"run_id": index.to_series(), **values}, copy=False)
    return CheckedColumns(frame.reset_index(drop=True), pd.DataFrame(texts, index=index))


def outside(check: RunCheck, values: pd.Series) -> pd.Series:
    """Which runs fail a check: their values, as `columns` gives them, are outside its tolerance."""
    assert check.within is not None
    low = -math.inf if check.within.low is None else check.within.low
    high = math.inf if check.within.high is None else check.within.high
    return (values < low) | (values > high)


def audit_runs(auditor: Auditor, level: Level, checks: tuple[RunCheck, ...], runs: LandedRuns) -> Audit:
    """Run a suite on runs."""
    checked = columns(checks, runs)
    return auditor.audit(level, "runs", checked.values, checks, key=["run_id"], observed=checked.observed)


def ratio(top: pd.Series, bottom: pd.Series) -> pd.Series:
    """`top` / `bottom`; NULL where either is missing or the bottom is zero."""
    bottom = number(bottom)
    return number(top) / bottom.where(bottom != 0)


def is_true(column: pd.Series) -> pd.Series:
    """Whether a nullable boolean is known and true."""
    return column.eq(True)


def number(column: pd.Series) -> pd.Series:
    """A column as floats; NULL where it is missing or no number."""
    return pd.to_numeric(column, errors="coerce").astype("float64")


def with_unit(column: pd.Series, unit: str) -> pd.Series:
    """Numbers as text for a person, with their unit."""
    return column.map(lambda value: f"{value:.4g}").astype("string") + " " + unit
