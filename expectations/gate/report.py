"""The gate's report: every check with its rule, its source and its findings, as JSON and as a page.

Great Expectations' own Data Docs load style sheets from the network; this page needs none.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from expectations.gate.auditor import Audit, CheckResult
from expectations.pages import render_page
from expectations.suites.checks import Check, Level, Severity

SHOWN = 200
"""Findings per check on the page; the JSON has all."""

_SHARE = "relative"
"""The unit of tolerances that are shares; a reader gets per cent."""

NAMED = 3
"""Rows that a refusal's one line names, and checks that a publication's one line names."""


@dataclass(frozen=True)
class WarningGroup:
    """The warnings of one check: what it warns of, and how many runs or rows it warns of.

    rows: of a run "run", of a mart "row".
    """

    check: str
    reason: str
    count: int
    rows: str

    def __str__(self) -> str:
        return f"{several(self.count, self.rows)}: {self.reason}"


def warning_groups(audit: Audit, refused: Collection[str]) -> tuple[WarningGroup, ...]:
    """The warnings by check, the most frequent first. Runs that are `refused` have no part in it."""
    groups = []
    for result in audit.results:
        shown = [finding for finding in result.findings if finding.severity is Severity.WARNING]
        count = sum(finding.key not in refused for finding in shown)
        rows = "run" if result.level in (Level.RUN, Level.CROSS_RUN) else "row"
        if count:
            groups.append(WarningGroup(result.check.name, result.check.reason, count, rows))
    return tuple(sorted(groups, key=lambda group: -group.count))


def verdict(groups: Sequence[WarningGroup]) -> str:
    """What the gate says of a publication, in two to four words."""
    count = sum(group.count for group in groups)
    return f"passed with {several(count, 'warning')}" if count else "passed"


def verdict_in_words(groups: Sequence[WarningGroup]) -> str:
    """The verdict with the most frequent warnings, for one line."""
    named = a_few([str(group) for group in groups])
    return f"{verdict(groups)} ({named})" if groups else verdict(groups)


def several(number: int, what: str) -> str:
    """A number with its noun."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def a_few(names: Sequence[str], count: int | None = None) -> str:
    """The first names, for one line; `count`: how many there are, if more than were given."""
    more = (len(names) if count is None else count) - NAMED
    return "; ".join([*names[:NAMED], *([f"and {more} more"] if more > 0 else [])])


def write(audit: Audit, folder: Path, title: str, links: Sequence[tuple[str, str]] = ()) -> None:
    """Write `gate_report.json` and `gate_report.html` into `folder`.

    links: the site's navigation, where the folder is a site.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gate_report.json").write_text(json.dumps(as_json(audit), indent=1) + "\n")
    (folder / "gate_report.html").write_text(as_html(audit, title, links))


def as_json(audit: Audit) -> list[dict[str, Any]]:
    """One object per check."""
    return [
        {
            "level": result.level.value,
            "table": result.table,
            "check": result.check.name,
            "severity": result.check.severity.value,
            "rule": result.check.rule,
            "source": result.check.source,
            "rows_checked": result.rows_checked,
            "findings": [
                {"key": finding.key, "observed": finding.observed, "reason": finding.reason}
                for finding in result.findings
            ],
        }
        for result in audit.results
    ]


def as_html(audit: Audit, title: str, links: Sequence[tuple[str, str]] = ()) -> str:
    """A self-contained page: what was found and what it means first, then all checks by suite."""
    on_runs, on_tables = audit.at(Level.RUN, Level.CROSS_RUN), audit.at(Level.MART, Level.PUBLICATION)
    by_level = [(level, [result for result in audit.results if result.level is level]) for level in Level]
    return render_page(
        "gate/report.html",
        title=title,
        audit=audit,
        kinds=kinds(audit),
        set_aside=len({finding.key for finding in on_runs.critical}),
        stopping=len(on_tables.critical),
        by_level=[(level, results) for level, results in by_level if results],
        levels=_SUITES,
        meaning=meaning,
        with_unit=with_unit,
        shown=SHOWN,
        links=links,
    )


@dataclass(frozen=True)
class Kind:
    """What one check found, in one table or several. results: those with findings, at least one."""

    results: tuple[CheckResult, ...]

    @property
    def check(self) -> Check:
        """The check."""
        return self.results[0].check

    @property
    def refuses(self) -> bool:
        """Whether it refuses a run or the publication."""
        return any(result.refuses for result in self.results)

    @property
    def count(self) -> int:
        """How often it found something."""
        return sum(len(result.findings) for result in self.results)

    @property
    def rows_checked(self) -> int:
        """How many rows it looked at, in the tables where it found something."""
        return sum(result.rows_checked for result in self.results)


def kinds(audit: Audit) -> list[Kind]:
    """The findings, one kind per check, reason and severity: refusals first, then the most frequent."""
    by_check: dict[tuple[str, str, Severity], list[CheckResult]] = {}
    for result in audit.results:
        if result.findings:
            key = (result.check.name, result.check.reason, result.check.severity)
            by_check.setdefault(key, []).append(result)
    found = [Kind(tuple(results)) for results in by_check.values()]
    return sorted(found, key=lambda kind: (not kind.refuses, -kind.count))


_SUITES = {
    Level.RUN: "Each run by itself",
    Level.CROSS_RUN: "Each run beside other runs",
    Level.MART: "Each table by itself",
    Level.PUBLICATION: "Each table beside the publication before",
}


def meaning(result: CheckResult) -> str:
    """What a failed check means for whoever reads the board."""
    match (result.level, result.check.severity):
        case (Level.RUN | Level.CROSS_RUN, Severity.CRITICAL):
            return "These runs are in no figure, unless a person released them and said why."
        case (Level.RUN | Level.CROSS_RUN, Severity.WARNING):
            return "These runs are not refused. The evidence of their rows shows it."
        case (_, Severity.CRITICAL) if result.check.approvable:
            return "A person had to approve this change before it was published."
        case (_, Severity.CRITICAL):
            return "The publication was refused: readers keep the one before."
        case _:
            return "The rows are published as they are."


def with_unit(observed: str, check: Check) -> str:
    """What a check observed, with the unit of its tolerance where it is a bare number."""
    unit = check.within.unit if check.within else ""
    try:
        value = float(observed)
    except ValueError:
        return observed
    return f"{100 * value:+.2g} %" if unit == _SHARE else f"{observed} {unit}".strip()
