"""Every fault is refused for its own reason; good runs and published rows pass. One audit for all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmark_tasks import catalog
from benchmark_tasks.results import bundle
from benchmark_tasks.results.schema import Run
from benchmark_tasks.results.store import Store
from benchmark_tasks.settings import Settings
from benchmark_tasks.signing import KeyKind, Registry, new_key
from benchmark_tasks.testing.samples import sample_generation_run
from expectations.gate import intake
from expectations.gate.auditor import Auditor
from expectations.gate.quarantine import Verdict
from expectations.refresh import judge_runs
from expectations.suites import recomputed_rows
from expectations.suites.checks import Check, Severity
from expectations.suites.cross_run import cross_run_checks
from expectations.suites.landed_runs import landed_runs
from expectations.suites.mart import mart_checks
from expectations.suites.publication import publication_checks
from expectations.suites.run import run_checks
from tests.expectations import document
from tests.expectations.gate_faults import (
    DOUBTFUL,
    FAULTS,
    HARMLESS,
    Fault,
    good_runs,
    imperfect_runs,
    land,
    land_duplicates,
    land_fault,
)


@dataclass(frozen=True)
class Exam:
    """The landing zone after the gate has looked at it."""

    verdicts: dict[str, Verdict]
    names: dict[str, str]
    good: list[str]
    imperfect: dict[str, set[str]]
    broken: dict[str, str]


@pytest.fixture(scope="session")
def exam(tmp_path_factory: pytest.TempPathFactory) -> Exam:
    settings = Settings(home=tmp_path_factory.mktemp("exam"))
    store = Store(settings.raw)
    good = good_runs()
    for run in good:
        land(store, run)
    names = {fault.name: land_fault(store, fault)[0] for fault in (*HARMLESS, *DOUBTFUL, *FAULTS)}
    names |= land_duplicates(store)
    imperfect = imperfect_runs()
    for name, (run, _) in imperfect.items():
        land(store, run)
        names[name] = run.run_id
    landed = intake.read(settings)
    audit, verdicts = judge_runs(Auditor(), settings, landed, catalog.load())
    assert all(finding.key for finding in audit.findings), "a check could not be run"
    return Exam(
        verdicts,
        names,
        [run.run_id for run in good],
        {name: warnings for name, (_, warnings) in imperfect.items()},
        {str(broken.path): broken.reason for broken in landed.broken},
    )


def test_good_runs_are_accepted_without_a_finding(exam: Exam) -> None:
    for run_id in exam.good:
        assert exam.verdicts[run_id].accepted
        assert [str(finding) for finding in exam.verdicts[run_id].findings] == []


def test_a_landing_zone_of_images_only_can_be_judged(tmp_path: Path) -> None:
    """Whole columns are empty then, and of no type."""
    settings = Settings(home=tmp_path)
    for batch_size in (1, 4):
        land(Store(settings.raw), sample_generation_run(gpu=False, batch_size=batch_size))
    audit, verdicts = judge_runs(Auditor(), settings, intake.read(settings), catalog.load())
    assert [verdict.accepted for verdict in verdicts.values()] == [True, True]
    assert audit.findings == ()


def test_signatures_count_by_the_registry(tmp_path: Path) -> None:
    settings, store = Settings(home=tmp_path / "home"), Store(tmp_path / "home" / "raw")
    registry = Registry()
    runs: dict[str, Run] = {}
    for name in ("trusted", "revoked", "unsigned"):
        runs[name] = sample_generation_run(gpu=False, batch_size=len(runs) + 1)
        folder = land(store, runs[name])
        if name != "unsigned":
            signer = new_key(Settings(home=tmp_path / name))
            signer.sign(folder / bundle.CHECKSUMS_FILE)
            registry = registry.trust(name, KeyKind.HOST, signer.public_key)
    registry.revoke("revoked", "sold").write(settings)
    (check,) = (check for check in run_checks() if check.name == "signer_trusted")
    digests = []

    def refused() -> dict[str, str]:
        landed = intake.read(settings)
        digests.append(landed.digest)
        judged = landed_runs(landed, catalog.load(), now=datetime.now(UTC))
        assert check.observed is not None
        failed, said = check.values(judged), check.observed(judged)
        return {name: said[run.run_id] for name, run in runs.items() if failed[run.run_id]}

    assert list(refused()) == ["revoked"]
    assert refused()["revoked"].endswith("sold")
    registry.model_copy(update={"required_from": runs["unsigned"].started_at}).write(settings)
    assert list(refused()) == ["unsigned"]
    assert len(set(digests)) == 2, "a refresh must see that the registry has changed"


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_fault_is_refused_for_its_own_reason(exam: Exam, fault: Fault) -> None:
    verdict = exam.verdicts[exam.names[fault.name]]
    assert not verdict.accepted
    checks = {finding.check for finding in verdict.critical}
    assert fault.check in checks
    assert fault.check == "bundle_whole" or "bundle_whole" not in checks
    assert verdict.reasons


def test_a_replayed_run_is_refused_and_the_original_is_not(exam: Exam) -> None:
    replay = exam.verdicts[exam.names["replayed run"]]
    (finding,) = replay.critical
    assert finding.check == "not_a_replay"
    original = finding.observed.rsplit(" ", 1)[-1]
    assert exam.verdicts[original].accepted


def test_of_a_duplicated_run_the_one_in_its_place_counts(exam: Exam) -> None:
    copy = exam.names["duplicated run"]
    assert "a copy of run" in exam.broken[copy]
    assert exam.verdicts[Path(copy).name].accepted


def test_the_repeat_far_from_the_others_is_refused(exam: Exam) -> None:
    verdict = exam.verdicts[exam.names["repeat far from the other repeats"]]
    assert [finding.check for finding in verdict.critical] == ["repeats_are_one_experiment"]


def test_imperfect_runs_are_accepted_with_a_warning(exam: Exam) -> None:
    for name, warnings in exam.imperfect.items():
        verdict = exam.verdicts[exam.names[name]]
        assert verdict.accepted, (name, verdict.reasons)
        assert {finding.check for finding in verdict.findings} == warnings, name


@pytest.mark.parametrize("fault", DOUBTFUL, ids=[fault.name for fault in DOUBTFUL])
def test_doubtful_runs_are_accepted_with_their_own_warning(exam: Exam, fault: Fault) -> None:
    verdict = exam.verdicts[exam.names[fault.name]]
    assert verdict.accepted, verdict.reasons
    assert {finding.check for finding in verdict.findings} == {fault.check}


@pytest.mark.parametrize("fault", HARMLESS, ids=[fault.name for fault in HARMLESS])
def test_what_is_just_inside_a_tolerance_passes(exam: Exam, fault: Fault) -> None:
    assert [str(finding) for finding in exam.verdicts[exam.names[fault.name]].findings] == []


def test_the_catalogue_is_large_and_names_are_unique() -> None:
    names = [fault.name for fault in (*FAULTS, *DOUBTFUL, *HARMLESS)]
    assert len(set(names)) == len(names) >= 90


def test_every_critical_check_has_a_fault_that_it_refuses() -> None:
    critical = {check.name for check in (*run_checks(), *cross_run_checks()) if check.severity == "critical"}
    tried = {fault.check for fault in FAULTS} | {"not_a_replay", "repeats_are_one_experiment"}
    assert critical - tried == set()


def test_the_document_tells_every_check() -> None:
    suites = {
        "run": run_checks(),
        "cross-run": cross_run_checks(),
        "mart": (*mart_checks(), recomputed_rows.CHECK),
        "publication": publication_checks(),
    }
    rows = [
        (suite, f"`{check.name}`", _effect(check), check.rule, check.source, check.reason)
        for suite, checks in suites.items()
        for check in checks
    ]
    header = ("suite", "check", "if it fails", "rule", "source", "what a person reads")
    document.check("checks", document.table(header, rows))


def _effect(check: Check) -> str:
    if check.severity is Severity.WARNING:
        return "warns"
    return "asks a person" if check.approvable else "refuses"


def test_the_document_tells_every_fault_and_what_refused_it(exam: Exam) -> None:
    rows = []
    for fault in FAULTS:
        (finding,) = {
            f.check: f for f in exam.verdicts[exam.names[fault.name]].critical if f.check == fault.check
        }.values()
        rows.append((fault.name, f"`{finding.check}`", finding.reason))
    rows += [
        (name, f"`{finding.check}`", finding.reason)
        for name in ("replayed run", "repeat far from the other repeats")
        for finding in exam.verdicts[exam.names[name]].critical
    ]
    rows.append(("duplicated run", "`bundle_readable`", "a copy of a run; only the one in its place counts"))
    text = document.table(("fault", "refused by", "reason"), rows)
    good = f"{len(exam.good)} good runs beside them: all accepted, without a finding."
    document.check("faults", f"{text}\n\n{len(rows)} faults, all refused. {good}")
