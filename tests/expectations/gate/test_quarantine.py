"""Verdicts: set aside with reasons, released with a reason, replaced by a later clean run."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from benchmark_tasks.errors import PublicationError
from benchmark_tasks.results.schema import Run
from benchmark_tasks.results.store import BrokenBundle
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.samples import sample_run
from expectations.gate.quarantine import Landing, Release, Repeat, Verdict, judge, release, releases
from expectations.gate.record_facts import facts_of
from expectations.suites.checks import Check, GateFinding, Severity, Tolerance

RULE = Tolerance(0, 0, "", "test")
WAIVABLE = Check("too_hot", Severity.CRITICAL, "too hot", within=RULE)
FIXED = Check("bundle_whole", Severity.CRITICAL, "damaged", within=RULE, releasable=False)
CHECKS = (WAIVABLE, FIXED)


def landing(*runs: Run) -> Landing:
    return Landing(tuple(Repeat(run.run_id, facts_of(run).identity, run.started_at) for run in runs))


def finding(run: Run, check: Check = WAIVABLE, severity: Severity = Severity.CRITICAL) -> GateFinding:
    return GateFinding(check.name, severity, run.run_id, "99", check.reason)


def released(run: Run) -> dict[str, Release]:
    return {run.run_id: Release(run.run_id, "checked by hand", "someone", "2026-11-20T00:00:00Z")}


def test_critical_findings_quarantine_and_warnings_do_not() -> None:
    bad, odd, good = sample_run(), sample_run(), sample_run()
    findings = (finding(bad), finding(odd, severity=Severity.WARNING))
    verdicts = judge(landing(bad, odd, good), findings, {}, frozenset())
    assert [verdicts[run.run_id].accepted for run in (bad, odd, good)] == [False, True, True]


def test_a_release_accepts_and_keeps_both_reasons() -> None:
    run = sample_run()
    verdict = judge(landing(run), [finding(run)], released(run), frozenset())[run.run_id]
    assert verdict.accepted
    assert verdict.reasons == "released by someone: checked by hand | too_hot: too hot (99)"


def test_a_damaged_run_stays_out_whatever_was_released() -> None:
    run = sample_run()
    verdict = judge(landing(run), [finding(run, FIXED)], released(run), frozenset({"bundle_whole"}))[
        run.run_id
    ]
    assert not verdict.accepted


def test_a_later_clean_run_replaces_a_quarantined_and_a_released_one() -> None:
    bad = sample_run()
    later = sample_run(
        started_at=bad.started_at + timedelta(hours=1), finished_at=bad.finished_at + timedelta(hours=1)
    )
    other = sample_run(batch_size=64)
    for waived in ({}, released(bad)):
        verdicts = judge(landing(bad, later, other), [finding(bad)], waived, frozenset())
        assert not verdicts[bad.run_id].accepted
        assert verdicts[bad.run_id].superseded_by == later.run_id
        assert verdicts[later.run_id].accepted and verdicts[other.run_id].accepted


def test_an_earlier_clean_run_replaces_nothing() -> None:
    earlier = sample_run()
    bad = sample_run(
        started_at=earlier.started_at + timedelta(hours=1),
        finished_at=earlier.finished_at + timedelta(hours=1),
    )
    assert judge(landing(earlier, bad), [finding(bad)], {}, frozenset())[bad.run_id].superseded_by is None


def test_an_unreadable_bundle_is_quarantined_under_its_folders_name() -> None:
    broken = replace(landing(), broken=(BrokenBundle(Path("raw/x/odd name"), "not a record"),))
    (verdict,) = judge(broken, (), {}, frozenset()).values()
    assert (verdict.run_id, verdict.accepted, verdict.critical[0].check) == (
        "odd name",
        False,
        "bundle_readable",
    )


def test_releases_are_journaled_and_the_latest_counts(tmp_path: Path) -> None:
    settings, run = Settings(home=tmp_path), sample_run()
    verdicts = {run.run_id: Verdict(run.run_id, False, (finding(run),))}
    release(settings, run.run_id, "first\nreason", verdicts, CHECKS)
    release(settings, run.run_id, "second", verdicts, CHECKS)
    assert releases(settings)[run.run_id].why == "second"
    assert "first reason" in (tmp_path / "quarantine" / "releases.jsonl").read_text()


def test_what_cannot_be_released_says_why(tmp_path: Path) -> None:
    settings, run, fine = Settings(home=tmp_path), sample_run(), sample_run()
    verdicts = {
        run.run_id: Verdict(run.run_id, False, (finding(run, FIXED),)),
        fine.run_id: Verdict(fine.run_id, True, ()),
    }
    for run_id, why, says in (
        (run.run_id, "because", "cannot be released: damaged"),
        (fine.run_id, "because", "not in quarantine"),
        ("../../etc/passwd", "because", "not in quarantine"),
        (run.run_id, " ", "say why"),
    ):
        with pytest.raises(PublicationError, match=says):
            release(settings, run_id, why, verdicts, CHECKS)
    assert releases(settings) == {}
