"""What others measured takes nothing from what we measured: no verdict, no replaced run, no plan."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchmark_tasks import catalog
from benchmark_tasks.results import bundle
from benchmark_tasks.results.store import Store, our_runs
from benchmark_tasks.settings import Settings
from benchmark_tasks.signing import KeyKind, Registry, Signer, new_key
from benchmark_tasks.testing.samples import sample_run
from expectations.gate import intake
from expectations.gate.quarantine import Landing, Release, Repeat, judge
from expectations.gate.record_facts import facts_of
from expectations.suites.checks import GateFinding, Severity
from expectations.suites.landed_runs import landed_runs
from expectations.suites.run import run_checks
from tests.expectations.gate_faults import land


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture
def alice(settings: Settings, tmp_path: Path) -> Signer:
    signer = new_key(Settings(home=tmp_path / "alice"))
    Registry().trust("alice", KeyKind.CONTRIBUTOR, signer.public_key).write(settings)
    return signer


def test_of_two_equal_runs_the_contributed_one_is_the_copy(settings: Settings, alice: Signer) -> None:
    """Whatever id and time it has: both are for its contributor to choose."""
    ours = sample_run()
    theirs = ours.model_copy(update={"run_id": "00000000-0000-7000-8000-000000000000"})
    store = Store(settings.raw)
    land(store, ours)
    alice.sign(land(store, theirs) / bundle.CHECKSUMS_FILE)
    (check,) = (check for check in run_checks() if check.name == "not_a_replay")
    landed = intake.read(settings)
    assert [run_id for run_id, *_ in landed.bundles] == [theirs.run_id, ours.run_id]
    failed = check.values(landed_runs(landed, catalog.load(), now=datetime.now(UTC)))
    assert failed.to_dict() == {theirs.run_id: True, ours.run_id: False}


def test_a_contributed_run_replaces_no_run_of_ours() -> None:
    ours = sample_run()
    later = ours.started_at + timedelta(days=1)
    theirs = sample_run(started_at=later, finished_at=later + timedelta(seconds=90))
    findings = [GateFinding("not_too_hot", Severity.CRITICAL, ours.run_id, "99", "too hot")]
    released = {ours.run_id: Release(ours.run_id, "the sensor was read wrongly", "ann", "2026-11-29")}

    def counts(contributor: str | None) -> bool:
        identity = facts_of(ours).identity
        assert facts_of(theirs).identity == identity
        whose = ((ours, None), (theirs, contributor))
        runs = tuple(Repeat(run.run_id, identity, run.started_at, who) for run, who in whose)
        return judge(Landing(runs), findings, released, frozenset())[ours.run_id].accepted

    assert counts("alice")
    assert not counts(None), "a later run of ours does"


def test_what_others_measured_is_still_to_be_measured(settings: Settings, alice: Signer) -> None:
    store, ours, theirs = Store(settings.raw), sample_run(), sample_run(batch_size=8)
    land(store, ours)
    alice.sign(land(store, theirs) / bundle.CHECKSUMS_FILE)

    def counted(registry: Registry) -> set[str]:
        return {run.run_id for run, _ in our_runs(store.records(), registry).runs}

    assert counted(Registry.read(settings)) == {ours.run_id}
    assert counted(Registry().trust("gpu-1", KeyKind.HOST, alice.public_key)) == {ours.run_id, theirs.run_id}


def test_whose_a_run_is_follows_from_its_key(settings: Settings, alice: Signer, tmp_path: Path) -> None:
    registry = Registry.read(settings)
    host, other = new_key(Settings(home=tmp_path / "host")), new_key(Settings(home=tmp_path / "other"))
    registry = registry.trust("gpu-1", KeyKind.HOST, host.public_key)
    keys: dict[str | None, str | None] = {None: None, host.public_key: None, alice.public_key: "alice"}
    assert {key: registry.contributor_of(key) for key in keys} == keys
    assert registry.contributor_of(other.public_key) == registry.name_of(other.public_key)
