"""One odd bundle is set aside; the good ones beside it are accepted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from benchmark_tasks import catalog
from benchmark_tasks.errors import BundleError, LandingZoneUnreachable
from benchmark_tasks.results import bundle
from benchmark_tasks.results.store import Store
from benchmark_tasks.results.summary import run_row
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.samples import sample_run
from expectations.candidate import profiles
from expectations.gate import evidence, intake
from expectations.gate.auditor import Auditor
from expectations.refresh import judge_runs
from tests.expectations.gate_faults import FAULTS, Fault, land, land_fault

NAMES = ("start without a time zone", "count of 20 digits", "text in place of numbers of samples")
ODD = [fault for fault in FAULTS if fault.name in NAMES]


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def verdicts(home: Settings) -> dict[str, bool]:
    _, judged = judge_runs(Auditor(), home, intake.read(home), catalog.load())
    return {name: verdict.accepted for name, verdict in judged.items()}


def test_a_good_run_beside_odd_ones_is_accepted(home: Settings) -> None:
    store, run = Store(home.raw), sample_run()
    land(store, run)
    odd = [land_fault(store, fault)[0] for fault in ODD]
    assert len(odd) == len(NAMES)
    assert verdicts(home) == {run.run_id: True} | dict.fromkeys(odd, False)


@pytest.mark.parametrize(
    "fault", [fault for fault in ODD if fault.check == "bundle_readable"], ids=lambda fault: fault.name
)
def test_what_the_record_refuses_is_not_landed_and_not_listed(
    home: Settings, tmp_path: Path, fault: Fault
) -> None:
    _, folder = land_fault(Store(tmp_path / "elsewhere"), fault)
    with pytest.raises(BundleError, match="run must be measured again"):
        Store(home.raw).land_copy(folder)
    assert not Store(tmp_path / "elsewhere").records().runs


@pytest.mark.parametrize(
    "where", [(evidence, "compare"), (intake, "facts_of"), (intake, "run_row")], ids=lambda where: where[1]
)
def test_whatever_one_bundle_breaks_is_its_own_problem(
    home: Settings, monkeypatch: pytest.MonkeyPatch, where: tuple[Any, str]
) -> None:
    store, good, odd = Store(home.raw), sample_run(), sample_run(batch_size=8)
    for run in (good, odd):
        land(store, run)
    module, name = where
    original = getattr(module, name)

    def breaks(run: Any, *more: Any) -> Any:
        if run.run_id == odd.run_id:
            raise ZeroDivisionError("by\nzero")
        return original(run, *more)

    monkeypatch.setattr(module, name, breaks)
    taken = intake.read(home)
    said = [entry["problem"] for entry in taken.evidence.to_pylist() if entry["problem"]]
    said += [broken.reason for broken in taken.broken]
    (problem,) = said
    assert problem.endswith("what is in it cannot be evaluated: ZeroDivisionError: by zero")
    assert taken.records["run_id"].to_pylist() == taken.evidence["run_id"].to_pylist()
    assert verdicts(home) == {good.run_id: True, odd.run_id: False}


def test_a_value_that_no_column_holds_is_the_problem_of_its_bundle(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows are made into a table a thousand at a time: it would take the others with it."""
    store, run = Store(home.raw), sample_run()
    folder = land(store, run)
    original = run_row
    monkeypatch.setattr(intake, "run_row", lambda *each: original(*each) | {"batch_size": 2**40})
    (broken,) = intake.read(home).broken
    assert broken.path == folder and "cannot be evaluated" in broken.reason


def test_a_storage_that_does_not_answer_is_no_problem_of_the_bundle(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: Any) -> None:
        raise LandingZoneUnreachable("gone")

    run = sample_run()
    folder = land(Store(home.raw), run)
    monkeypatch.setattr(evidence, "read_files", unreachable)
    with pytest.raises(LandingZoneUnreachable):
        evidence.examine(bundle.read_record(folder), folder)


def test_what_cannot_be_drawn_is_left_out(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    good, odd = sample_run(), sample_run(batch_size=8)
    bundles = [(run.run_id, land(Store(home.raw), run), None) for run in (good, odd)]
    original = profiles.profile

    def breaks(run_id: str, directory: Path) -> profiles.Profile:
        if run_id == odd.run_id:
            raise KeyError("seconds")
        return original(run_id, directory)

    monkeypatch.setattr(profiles, "profile", breaks)
    table = profiles.gather(bundles, home.warehouse) / "power_profiles.parquet"
    assert set(pq.read_table(table)["run_id"].to_pylist()) == {good.run_id}
