"""The gate: checks in, findings out. Great Expectations does the checking, on pandas assets.

Importing Great Expectations costs 10 to 16 seconds, so it happens inside `Auditor`, once per process.
A check that ends with an error counts as failed: what cannot be checked is not published.
"""

from __future__ import annotations

import logging
import math
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from expectations.suites.checks import Check, GateFinding, Level, Severity

if TYPE_CHECKING:
    import pandas as pd

OBSERVED_DIGITS = 4

AT_ONCE = 16
"""Checks that Great Expectations gets at once, with their columns: it copies these for each check."""


@dataclass(frozen=True)
class CheckResult:
    """Result of one check: how many rows it checked, and its findings."""

    level: Level
    table: str
    check: Check
    rows_checked: int
    findings: tuple[GateFinding, ...]

    @property
    def refuses(self) -> bool:
        """Whether it stops publishing (for a run: whether the run is set aside)."""
        return bool(self.findings) and self.check.severity is Severity.CRITICAL


@dataclass(frozen=True)
class Audit:
    """All results of the gate, in the order of the suites. `labels`: what each run measured, for a person."""

    results: tuple[CheckResult, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)

    def __add__(self, other: Audit) -> Audit:
        return Audit(self.results + other.results, {**self.labels, **other.labels})

    @property
    def findings(self) -> tuple[GateFinding, ...]:
        """Every failed check."""
        return tuple(finding for result in self.results for finding in result.findings)

    @property
    def critical(self) -> tuple[GateFinding, ...]:
        """The findings that refuse."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.CRITICAL)

    @property
    def warnings(self) -> tuple[GateFinding, ...]:
        """The findings that are only shown."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.WARNING)

    def at(self, *levels: Level) -> Audit:
        """The results of some suites only."""
        return Audit(tuple(result for result in self.results if result.level in levels), self.labels)


@dataclass
class Auditor:
    """Runs suites. One object, one import of Great Expectations, however many suites."""

    _gx: Any = field(default=None, init=False, repr=False)
    _frames: Any = field(default=None, init=False, repr=False)

    def audit(
        self,
        level: Level,
        table: str,
        frame: pd.DataFrame,
        checks: Sequence[Check],
        *,
        key: Sequence[str],
        observed: pd.DataFrame | None = None,
    ) -> Audit:
        """Check one table.

        key: columns that name a row in findings. observed: texts for a person, one column per check, indexed
        by the first key column.
        """
        if self._gx is None:
            self._start()
        rules = [self._expectation(check, number) for number, check in enumerate(checks)]
        by_number: dict[int, Any] = {}
        with _configured_once(), _without_fingerprints():
            for start in range(0, len(checks), AT_ONCE):
                some = slice(start, start + AT_ONCE)
                columns = [
                    *key,
                    *(name for check in checks[some] for name in check.unique or (check.looks_at,)),
                ]
                batch = self._frames.get_batch({"dataframe": frame[frame.columns.intersection(columns)]})
                by_number |= self._results(batch, f"{level} {table}", rules[some], key)
        describe = _describer(observed)
        return Audit(
            tuple(
                CheckResult(
                    level, table, check, len(frame), tuple(_findings(by_number.get(n), check, key, describe))
                )
                for n, check in enumerate(checks)
            )
        )

    def _results(self, batch: Any, name: str, rules: Sequence[Any], key: Sequence[str]) -> dict[int, Any]:
        """Great Expectations' result of each rule, by the place of its check."""
        suite = self._gx.ExpectationSuite(name=name, expectations=rules)
        outcome = batch.validate(suite, result_format="BOOLEAN_ONLY")
        by_number = {_number(result): result for result in outcome.results}
        failed = [rule for rule in rules if _has_failed(by_number.get(rule.meta["number"]))]
        if failed:  # which rows: asking that of every check takes longer than the rest
            suite = self._gx.ExpectationSuite(name=f"{name}, what failed", expectations=failed)
            outcome = batch.validate(
                suite,
                result_format={
                    "result_format": "COMPLETE",
                    "unexpected_index_column_names": list(key),
                    "return_unexpected_index_query": False,
                },
            )
            by_number |= {_number(result): result for result in outcome.results}
        return by_number

    def _start(self) -> None:
        os.environ["GX_ANALYTICS_ENABLED"] = "false"
        logging.getLogger("great_expectations").setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import great_expectations as gx
            from great_expectations.data_context.types.base import ProgressBarsConfig

        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = ProgressBarsConfig(globally=False)
        asset = context.data_sources.add_pandas("frames").add_dataframe_asset("frame")
        self._gx, self._frames = gx, asset.add_batch_definition_whole_dataframe("whole")

    def _expectation(self, check: Check, number: int) -> Any:
        kinds = self._gx.expectations
        common = {"severity": check.severity.value, "meta": {"number": number, "check": check.name}}
        if check.within is not None:
            return kinds.ExpectColumnValuesToBeBetween(
                column=check.looks_at, min_value=check.within.low, max_value=check.within.high, **common
            )
        if check.not_null:
            return kinds.ExpectColumnValuesToNotBeNull(column=check.looks_at, **common)
        if check.one_of is not None:
            return kinds.ExpectColumnValuesToBeInSet(
                column=check.looks_at, value_set=list(check.one_of), **common
            )
        if check.unique is not None:
            return self._unique(check.unique, common)
        if check.rows is not None:
            return kinds.ExpectTableRowCountToBeBetween(
                min_value=_whole(check.rows.low), max_value=_whole(check.rows.high), **common
            )
        raise ValueError(f"check {check.name} has no rule")

    def _unique(self, columns: tuple[str, ...], common: dict[str, Any]) -> Any:
        kinds = self._gx.expectations
        if len(columns) == 1:
            return kinds.ExpectColumnValuesToBeUnique(column=columns[0], **common)
        return kinds.ExpectCompoundColumnsToBeUnique(column_list=list(columns), **common)


Describe = Callable[[str, str, Any], str]


@contextmanager
def _configured_once() -> Iterator[None]:
    """Work out each expectation's configuration once per audit.

    Great Expectations 1.24 does it for each field that it reads, 50 times per expectation: a third of the
    processor time of an audit.
    """
    from great_expectations.expectations.expectation import Expectation

    original: Any = Expectation.configuration
    known: dict[int, tuple[Any, Any]] = {}  # with the expectation, so that no other one gets its id

    def configuration(expectation: Any) -> Any:
        if id(expectation) not in known:
            known[id(expectation)] = expectation, original.fget(expectation)
        return known[id(expectation)][1]

    kept: Any = property(configuration)
    Expectation.configuration = kept  # type: ignore[method-assign]
    try:
        yield
    finally:
        Expectation.configuration = original  # type: ignore[method-assign]


@contextmanager
def _without_fingerprints() -> Iterator[None]:
    """Take no fingerprint of a table: it is for data docs, and hashes every value twice."""
    from great_expectations.execution_engine import pandas_execution_engine as engine

    original: Any = engine.hash_pandas_dataframe
    engine.hash_pandas_dataframe = lambda df: ""
    try:
        yield
    finally:
        engine.hash_pandas_dataframe = original


def _has_failed(result: Any) -> bool:
    return result is not None and not result.success


def _number(result: Any) -> int:
    """Which check a result is of."""
    number: int = result.expectation_config.meta["number"]
    return number


def _findings(result: Any, check: Check, key: Sequence[str], describe: Describe) -> Iterable[GateFinding]:
    """One finding per failing row; one for the table when the rule is about the table, or failed itself."""
    if result is None:
        yield GateFinding(check.name, Severity.CRITICAL, "", "no result", f"{check.reason} (not checked)")
        return
    raised = _raised(result.exception_info)
    if raised:
        yield GateFinding(check.name, Severity.CRITICAL, "", raised, "the check could not be run")
        return
    if result.success:
        return
    rows = result.result.get("unexpected_index_list")
    if rows is None:
        observed = result.result.get("observed_value")
        yield GateFinding(check.name, check.severity, "", _short(observed), check.reason)
        return
    for row in rows:
        name = " | ".join(str(row[column]) for column in key)
        value = None if check.unique else row.get(check.looks_at)
        if check.says_only_yes and value == 1:
            value = None
        yield GateFinding(check.name, check.severity, name, describe(check.name, name, value), check.reason)


def _describer(observed: pd.DataFrame | None) -> Describe:
    """The text for a person where there is one, else the number."""
    texts = {} if observed is None else {name: observed[name].dropna().to_dict() for name in observed.columns}

    def describe(check: str, key: str, value: Any) -> str:
        text = texts.get(check, {}).get(key)
        return text.strip() if isinstance(text, str) and text.strip() else _short(value)

    return describe


def _short(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.{OBSERVED_DIGITS}g}" if isinstance(value, float) else str(value)


def _raised(info: dict[str, Any]) -> str | None:
    """The message of an exception inside a check; Great Expectations nests it by metric or not."""
    for entry in (info, *info.values()):
        if isinstance(entry, dict) and entry.get("raised_exception"):
            return str(entry.get("exception_message")).splitlines()[0]
    return None


def _whole(bound: float | None) -> int | None:
    return None if bound is None else int(bound)
