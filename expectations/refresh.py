"""A refresh, step by step: list, judge, build, audit, publish or refuse (write-audit-publish).

    landed runs -> per-run and cross-run suites -> accepted / quarantined with reasons
    -> dbt candidate (aside) -> mart and publication suites -> a new publication, or a refusal

Nothing is published when nothing changed: every manifest holds the digest of runs, decisions of
persons, import, catalog and code. With an equal digest the refresh ends at once.
"""

from __future__ import annotations

import gc
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmark_tasks import catalog as catalogs
from benchmark_tasks.catalog import Catalog
from benchmark_tasks.disk import disk_full_is_an_error
from benchmark_tasks.errors import ApprovalNeeded, GateRefused, NothingToPublish
from benchmark_tasks.imports import mlenergy
from benchmark_tasks.settings import Settings
from benchmark_tasks.signing import require_signer
from expectations import publications
from expectations.api import write_api
from expectations.candidate import inputs
from expectations.candidate.build import INPUTS_FOLDER, PROJECT, BuildResult, build
from expectations.candidate.fingerprint import code_digest, git_commit, software
from expectations.gate import intake, quarantine, report
from expectations.gate.approval import Approval
from expectations.gate.auditor import Audit, Auditor
from expectations.gate.intake import Intake
from expectations.gate.kept import FOLDER as KEPT_FOLDER
from expectations.gate.quarantine import Verdict
from expectations.pages import drawings
from expectations.suites import GateFinding, Level, cross_run
from expectations.suites.landed_runs import beside_records, landed_runs
from expectations.suites.mart import audit_marts
from expectations.suites.passed import audit_each_run
from expectations.suites.publication import audit_against_last
from expectations.suites.recomputed_rows import Sample, audit_sample
from expectations.suites.run import run_checks
from expectations.suites.run_check import audit_runs

log = logging.getLogger("jouleboard.refresh")

DRAWINGS = "drawings"
LAST_REFUSAL = "last_refusal"
SWITCH_WAIT_SECONDS = 60.0
"""How long a finished build waits for a rollback, which takes seconds."""

OBJECTS_BEFORE_COLLECTION = 100_000
"""New objects after which Python looks for unreachable ones. Python's default is 700."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class RefreshResult:
    """Result of a refresh that was not refused. `changed`: whether there is a new publication.

    accepted, quarantined: landed runs. warnings: findings that were shown and did not stop anything.
    """

    changed: bool
    publication: int
    summary: str
    accepted: int
    quarantined: int
    warnings: int

    def as_dict(self) -> dict[str, Any]:
        """For XCom and `--json`."""
        return asdict(self)


def refresh(
    settings: Settings,
    *,
    note: str | None = None,
    approve: Approval | None = None,
    say: Say = log.info,
    project: Path = PROJECT,
) -> RefreshResult:
    """Publish the landed runs if anything has changed since the last publication.

    note: kept with the publication. approve: a person's approval of changes beyond the band; it applies only
    to findings that a person may decide. say: called with one line per step.

    Raises:
        PublisherBusy: another refresh or rollback is running.
        PublicationError: the last publication is damaged; names the command that leaves it behind.
        BuildError: dbt failed. GateRefused: the gate did. ApprovalNeeded: a person must decide.
        NothingToPublish: nothing has landed yet.
        DiskFull: no space. In every case the last publication stays current.
    """
    with publications.hold_lock(settings.warehouse / ".lock", "a refresh"), _few_collections():
        _clear_candidates(settings)
        with publications.publishing(settings, SWITCH_WAIT_SECONDS):
            pass  # what a killed publisher left is removed before anything is compared with it
        publications.require_whole(settings)
        require_signer(settings, lambda line: None)
        say("reading the landing zone")
        landed, catalog = intake.read(settings), catalogs.load(overlay=settings.catalog)
        digest = inputs.digest(settings, landed, catalog)
        unchanged = _unchanged(settings, digest)
        if unchanged is not None:
            say(unchanged.summary)
            return unchanged
        if not landed.count and mlenergy.current(settings) is None:
            raise NothingToPublish(
                "nothing to publish: no run has landed and nothing is imported; measure first"
            )
        candidate = _new_candidate(settings)
        auditor = Auditor()
        say(f"checking {landed.count} runs")
        run_audit, verdicts = judge_runs(auditor, settings, landed, catalog)
        _tell_verdicts(verdicts, say)
        past, last = publications.history(settings), publications.current(settings)
        landed = replace(landed, evidence=landed.evidence.select(["run_id", "signed_by"]))
        pa.default_memory_pool().release_unused()  # nothing else of the evidence is needed any more
        inputs.write(candidate / INPUTS_FOLDER, settings, landed, catalog, verdicts, history=past)
        del landed
        pa.default_memory_pool().release_unused()  # dbt needs what the runs took
        say("building the marts with dbt")
        built = build(candidate, project=project, unit_tests=False)
        say(f"dbt built {built.count('model')} models; {_tests(built)} tests passed; checking the marts")
        audit = run_audit + audit_marts(auditor, built.database)
        audit += audit_against_last(auditor, built.database, last)
        recomputed, sample = audit_sample(auditor, built.database, settings, seed=digest)
        say(f"recomputed {len(sample.measured)} measured and {len(sample.imported)} imported rows")
        audit += recomputed
        approval = _decide(settings, audit, approve)
        with publications.publishing(settings, SWITCH_WAIT_SECONDS):
            result = publish_candidate(
                settings,
                built,
                audit,
                verdicts,
                digest,
                note=note,
                approval=approval,
                catalog=catalog,
                sample=sample,
            )
            policy = catalogs.load_housekeeping(overlay=settings.catalog)
            publications.retire(settings, policy.publications.newest)
        shutil.rmtree(candidate, ignore_errors=True)
        say(result.summary)
        return result


def judge_runs(
    auditor: Auditor, settings: Settings, landed: Intake, catalog: Catalog, *, keep: bool = True
) -> tuple[Audit, dict[str, Verdict]]:
    """Per-run suite, then cross-run suite on the accepted runs, then a verdict on every run.

    keep: note which runs passed, so that the next refresh does not check them again.
    """
    released = quarantine.releases(settings)
    fixed = frozenset(check.name for check in run_checks() if not check.releasable)
    if not landed.count:
        return Audit(), quarantine.judge(landed.landing, (), released, fixed)
    now, beside = datetime.now(UTC), beside_records(landed)
    audit = audit_each_run(auditor, landed, catalog, beside, now=now, warehouse=settings.warehouse, keep=keep)
    audit += Audit(labels=landed.labels)
    verdicts = quarantine.judge(landed.landing, audit.findings, released, fixed)
    accepted = [run_id for run_id, verdict in verdicts.items() if verdict.accepted]
    if accepted:
        beside = beside[beside.index.isin(accepted)]
        runs = landed_runs(landed, catalog, now=now, beside=beside, columns=cross_run.READ)
        audit += audit_runs(auditor, Level.CROSS_RUN, cross_run.cross_run_checks(), runs)
    return audit, quarantine.judge(landed.landing, audit.findings, released, fixed)


def judge_now(settings: Settings) -> dict[str, Verdict]:
    """The verdicts that a refresh would give now; nothing is published."""
    landed = intake.read(settings)
    return judge_runs(Auditor(), settings, landed, catalogs.load(overlay=settings.catalog), keep=False)[1]


def _unchanged(settings: Settings, digest: str) -> RefreshResult | None:
    """The result if the newest publication was built from exactly these inputs, else `None`."""
    newest = publications.newest(settings)
    if newest is None or newest.manifest.get("inputs_digest") != digest:
        return None
    number = publications.current_number(settings.published)
    text = f"nothing changed: publication {number} stays current"
    if number != newest.number:
        again = f"jouleboard publications rollback {newest.number}"
        text += f" (rolled back from {newest.number}; `{again}` undoes it)"
    runs = newest.manifest["runs"]
    return RefreshResult(
        False,
        number or newest.number,
        text,
        runs["accepted"],
        runs["quarantined"],
        newest.manifest["gate"]["warnings"],
    )


def _tell_verdicts(verdicts: dict[str, Verdict], say: Say) -> None:
    """One line per quarantined run."""
    refused = [verdict for verdict in verdicts.values() if not verdict.accepted]
    say(f"accepted {len(verdicts) - len(refused)} runs, quarantined {len(refused)}")
    for verdict in refused:
        say(f"quarantined {verdict.run_id}: {verdict.reasons}")


def _decide(settings: Settings, audit: Audit, approve: Approval | None) -> dict[str, Any] | None:
    """Refuse, ask a person, or continue; returns the approval that was used, if one was needed.

    Findings on runs only quarantine those runs; they do not stop a publication.
    """
    marts = audit.at(Level.MART, Level.PUBLICATION)
    approvable = {result.check.name for result in marts.results if result.check.approvable}
    final = [finding for finding in marts.critical if finding.check not in approvable]
    for_a_person = [finding for finding in marts.critical if finding.check in approvable]
    changes = tuple(f"{finding.key} {finding}" for finding in for_a_person)
    if final:
        raise GateRefused(_refuse(settings, audit, "the gate refused", final))
    if not changes:
        return None
    if approve is None or not approve.covers(changes):
        others = "the changes are no longer those that were approved: " if approve and approve.why else ""
        text = _refuse(settings, audit, f"{others}a person must approve", for_a_person)
        raise ApprovalNeeded(f'{text}; to approve it: jouleboard refresh --approve "why"', changes)
    return {"why": approve.why, "by": approve.by, "findings": list(changes)}


def _refuse(settings: Settings, audit: Audit, verb: str, findings: list[GateFinding]) -> str:
    """Write the report and the journal entry of a refusal; returns the refusal in one line."""
    folder = settings.warehouse / LAST_REFUSAL
    with disk_full_is_an_error(folder):
        report.write(audit, folder, "Gate report: refused")
    number = publications.current_number(settings.published)
    stays = f"publication {number} stays current" if number else "nothing is published"
    line = f"{verb}: {_what_failed(findings)}; {stays}; report: {folder}/gate_report.html"
    publications.record(settings, {"event": "refused", "at": f"{datetime.now(UTC):%FT%TZ}", "why": line})
    return line


def _what_failed(findings: list[GateFinding]) -> str:
    """The first check that failed, a few of its rows by name, and the number of other failed checks."""
    first = findings[0]
    rows = [finding for finding in findings if finding.check == first.check]
    others = len({finding.check for finding in findings}) - 1
    also = f"; {report.several(others, 'other check')} also failed" if others else ""
    if not first.key:
        return f"{first}{also}"
    count = f" in {len(rows)} rows" if len(rows) > 1 else ""
    names = [f"{row.key} ({row.observed})" if row.observed else row.key for row in rows]
    return f"{first.check}: {first.reason}{count}: {report.a_few(names)}{also}"


def publish_candidate(
    settings: Settings,
    built: BuildResult,
    audit: Audit,
    verdicts: dict[str, Verdict],
    digest: str,
    *,
    note: str | None,
    approval: dict[str, Any] | None,
    catalog: Catalog,
    sample: Sample | None = None,
) -> RefreshResult:
    """Make an audited candidate the current publication. The caller holds the publication lock."""
    number = publications.next_number(settings)
    folder = publications.incoming_folder(settings, number)
    refused = {run_id for run_id, verdict in verdicts.items() if not verdict.accepted}
    accepted = len(verdicts) - len(refused)
    warned = report.warning_groups(audit, refused)
    with disk_full_is_an_error(settings.published):
        folder.mkdir(parents=True)
        with publications.marts_written(built.database, folder) as marts:
            summary: dict[str, Any] = {
                "publication_number": number,
                "published_at": f"{datetime.now(UTC):%FT%T+00:00}",
                "git_commit": git_commit(),
                "note": note,
                "row_count": marts.rows("leaderboard"),
                "run_count": accepted,
                "gate_verdict": report.verdict(warned),
            }
            manifest = {
                **{name: summary[name] for name in ("published_at", "git_commit", "note")},
                "inputs_digest": digest,
                "approval": approval,
                "runs": {"landed": len(verdicts), "accepted": accepted, "quarantined": len(refused)},
                "gate": {
                    "verdict": summary["gate_verdict"],
                    "checks": len(audit.results),
                    "warnings": sum(group.count for group in warned),
                    "warned": [asdict(group) for group in warned],
                    "quarantining_findings": len(audit.at(Level.RUN, Level.CROSS_RUN).critical),
                    "recomputed": sample and sample.as_dict(),
                },
                "dbt": {
                    "models": built.count("model"),
                    "tests_passed": _tests(built),
                    "nodes": [asdict(node) for node in built.nodes],
                },
                "software": dict(software()),
                "tables": marts.tables,
                "summary": summary,
                "history": publications.history(settings),
            }
            with drawings.kept_in(settings.warehouse / KEPT_FOLDER / DRAWINGS, code_digest()):
                _write_site(folder, marts, built, audit, manifest, catalog)
        write_api(folder, manifest)
    published = publications.publish(settings, number, folder, manifest)
    text = (
        f"published {number}: {summary['row_count']} leaderboard rows from {accepted} accepted runs"
        f" ({len(refused)} quarantined), {report.verdict_in_words(warned)}; {published.path}"
    )
    return RefreshResult(True, number, text, accepted, len(refused), manifest["gate"]["warnings"])


def _write_site(
    folder: Path,
    marts: publications.Marts,
    built: BuildResult,
    audit: Audit,
    manifest: dict[str, Any],
    catalog: Catalog,
) -> None:
    from expectations.board import write_dbt_docs, write_site

    target = folder / publications.SITE_FOLDER
    target.mkdir()
    if built.docs is not None:
        write_dbt_docs(built.docs, target)
    links = write_site(folder, marts, manifest, catalog)
    title = f"Gate report of publication {manifest['summary']['publication_number']}"
    report.write(audit, target, title, links)


def _tests(built: BuildResult) -> int:
    return built.count("test") + built.count("unit_test")


@contextmanager
def _few_collections() -> Iterator[None]:
    """Let Python look for unreachable objects less often: each time it looks at those of all runs."""
    before = gc.get_threshold()
    gc.set_threshold(OBJECTS_BEFORE_COLLECTION, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _new_candidate(settings: Settings) -> Path:
    path = settings.warehouse / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}"
    with disk_full_is_an_error(settings.warehouse):
        path.mkdir(parents=True)
    return path


def _clear_candidates(settings: Settings) -> None:
    """Remove candidates of earlier refreshes; the lock guarantees that no other process uses them."""
    for path in settings.warehouse.glob("*-*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
