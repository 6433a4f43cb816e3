"""Runs that the gate set aside, and runs that a person released from quarantine.

Nothing here deletes a run. A release is one line in `quarantine/releases.jsonl`: who, when, why.
"""

from __future__ import annotations

import getpass
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from benchmark_tasks.disk import append_json, read_journal
from benchmark_tasks.errors import PublicationError
from benchmark_tasks.results.store import BrokenBundle
from benchmark_tasks.settings import Settings
from expectations.suites.checks import Check, GateFinding, Severity

UNREADABLE = "bundle_readable"


@dataclass(frozen=True)
class Release:
    """A person's decision to accept a run despite its findings."""

    run_id: str
    why: str
    who: str
    at: str


@dataclass(frozen=True)
class Verdict:
    """Whether one run counts, and why. `superseded_by`: a later accepted run of the same configuration."""

    run_id: str
    accepted: bool
    findings: tuple[GateFinding, ...]
    release: Release | None = None
    superseded_by: str | None = None

    @property
    def critical(self) -> tuple[GateFinding, ...]:
        """The findings that quarantine."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.CRITICAL)

    @property
    def reasons(self) -> str:
        """All reasons in one line; a released run says by whom and why."""
        text = "; ".join(str(finding) for finding in self.critical)
        if self.release is None:
            return text
        return f"released by {self.release.who}: {self.release.why} | {text}"


class Repeat(NamedTuple):
    """A run, as far as verdicts depend on it.

    identity: equal for runs of one configuration. contributor: who measured it; `None`: we.
    """

    run_id: str
    identity: str
    started_at: datetime
    contributor: str | None = None

    @property
    def what_of_whom(self) -> tuple[str, str | None]:
        """Equal for runs that may replace each other."""
        return self.identity, self.contributor


@dataclass(frozen=True)
class Landing:
    """What a verdict is given on: readable runs, and bundles that cannot be read."""

    runs: tuple[Repeat, ...]
    broken: tuple[BrokenBundle, ...] = ()


def releases(settings: Settings) -> dict[str, Release]:
    """Every release by run id; the latest counts."""
    entries = read_journal(_journal(settings))
    fields = Release.__dataclass_fields__.keys()
    return {
        entry["run_id"]: Release(**{name: str(entry[name]) for name in fields})
        for entry in entries
        if fields <= entry.keys()
    }


def release(
    settings: Settings, run_id: str, why: str, verdicts: Mapping[str, Verdict], checks: Iterable[Check]
) -> Release:
    """Record that a quarantined run counts from the next refresh on.

    Raises:
        PublicationError: no such run in quarantine, no reason given, or a finding that cannot be waived.
    """
    if not why.strip():
        raise PublicationError("say why: --why must not be empty; it is shown beside the run")
    verdict = verdicts.get(run_id)
    if verdict is None or not verdict.critical:
        raise PublicationError(f"run {run_id!r} is not in quarantine; see `jouleboard quarantine list`")
    fixed = {check.name for check in checks if not check.releasable} | {UNREADABLE}
    for finding in verdict.critical:
        if finding.check in fixed:
            raise PublicationError(
                f"run {run_id} cannot be released: {finding.reason} ({finding.check}); measure it again"
            )
    entry = Release(run_id, " ".join(why.split()), getpass.getuser(), f"{datetime.now(UTC):%FT%TZ}")
    append_json(_journal(settings), vars(entry))
    return entry


def judge(
    landing: Landing, findings: Iterable[GateFinding], released: Mapping[str, Release], fixed: frozenset[str]
) -> dict[str, Verdict]:
    """The verdict on every run, and on every unreadable bundle under its folder's name.

    fixed: checks that no release can waive.
    """
    by_run = defaultdict(list)
    for finding in findings:
        by_run[finding.key].append(finding)
    verdicts = {}
    for run in landing.runs:
        findings_on_run = tuple(by_run.get(run.run_id, ()))
        if not findings_on_run:
            verdicts[run.run_id] = Verdict(run.run_id, True, ())
            continue
        critical = [finding for finding in findings_on_run if finding.severity is Severity.CRITICAL]
        waived = released.get(run.run_id) if critical else None
        if any(finding.check in fixed for finding in critical):
            waived = None
        verdicts[run.run_id] = Verdict(
            run.run_id, not critical or waived is not None, findings_on_run, waived
        )
    superseded = _superseded(landing.runs, verdicts)
    verdicts |= {
        run_id: Verdict(run_id, False, verdicts[run_id].findings, None, by)
        for run_id, by in superseded.items()
    }
    unreadable: set[str] = set()
    for broken in landing.broken:
        name = broken.path.name if broken.path.name not in unreadable else "/".join(broken.path.parts[-2:])
        unreadable.add(name)
        finding = GateFinding(UNREADABLE, Severity.CRITICAL, name, broken.reason, "the bundle cannot be read")
        verdicts.setdefault(name, Verdict(name, False, (finding,)))
    return verdicts


def _superseded(runs: Sequence[Repeat], verdicts: Mapping[str, Verdict]) -> dict[str, str]:
    """Quarantined or released runs that a later, clean run of the same configuration and people replaces."""
    critical = {run_id for run_id, verdict in verdicts.items() if verdict.critical}
    latest: dict[tuple[str, str | None], Repeat] = {}
    for run in runs:
        if run.run_id not in critical:
            same = latest.get(run.what_of_whom)
            latest[run.what_of_whom] = run if same is None or run.started_at > same.started_at else same
    return {
        run.run_id: later.run_id
        for run in runs
        if run.run_id in critical
        and (later := latest.get(run.what_of_whom)) is not None
        and later.started_at > run.started_at
    }


def _journal(settings: Settings) -> Path:
    return settings.home / "quarantine" / "releases.jsonl"
