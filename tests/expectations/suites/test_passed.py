"""A run in which nothing was found is not checked again, until something that decides has changed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from benchmark_tasks import catalog as catalogs
from benchmark_tasks.catalog import Catalog
from benchmark_tasks.results.schema import new_run_id
from benchmark_tasks.results.store import Store
from benchmark_tasks.runtimes import kinds
from benchmark_tasks.settings import Settings
from benchmark_tasks.signing import KeyKind, Registry, new_key
from benchmark_tasks.testing.samples import sample_run
from expectations.gate import intake, kept
from expectations.gate.auditor import Audit, Auditor
from expectations.refresh import judge_now, judge_runs
from expectations.suites import passed
from expectations.suites.checks import Level
from expectations.suites.landed_runs import beside_records, landed_runs
from expectations.suites.run import run_checks
from expectations.suites.run_check import columns
from tests.expectations.gate_faults import FAULTS, land, land_fault

ROOT = Path(__file__).parents[3]
CATALOG = catalogs.load()


class Counting(Auditor):
    """Notes how many runs the per-run suite gets."""

    def audit(self, level: Level, table: str, frame: pd.DataFrame, *arguments: Any, **options: Any) -> Audit:
        if level is Level.RUN:
            checked.append(len(frame))
        return super().audit(level, table, frame, *arguments, **options)


checked: list[int] = []
AUDITOR = Counting()


def judged(settings: Settings, catalog: Catalog = CATALOG) -> tuple[Audit, int]:
    """The audit, and how many runs went through the per-run suite."""
    audit, _ = judge_runs(AUDITOR, settings, intake.read(settings), catalog)
    return audit, checked.pop()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(home=tmp_path)
    for size in (16, 32, 64):
        land(Store(settings.raw), sample_run(batch_size=size))
    return settings


def test_only_new_runs_and_those_with_a_finding_are_checked_and_the_results_are_those_of_all(
    settings: Settings,
) -> None:
    store = Store(settings.raw)
    fault = next(fault for fault in FAULTS if fault.check == "idle_was_idle")
    run_id, _ = land_fault(store, fault)
    first, count = judged(settings)
    assert count == 4
    again, count = judged(settings)
    assert again == first
    assert {finding.key for finding in again.findings} == {run_id}, again.findings
    assert count == 1
    assert {result.rows_checked for result in again.at(Level.RUN).results} == {4}
    land(store, sample_run(batch_size=128))
    third, count = judged(settings)
    assert count == 2
    assert third.findings == first.findings


def test_where_all_have_passed_the_suite_is_still_run(settings: Settings) -> None:
    first, _ = judged(settings)
    again, count = judged(settings)
    assert count == 1
    assert again == first


def _another_catalog(settings: Settings, catalog: Catalog) -> Catalog:
    return catalog.model_copy(update={"content_hash": "another"})


def _another_key(settings: Settings, catalog: Catalog) -> Catalog:
    key = new_key(Settings(home=settings.home / "other")).public_key
    Registry.read(settings).trust("other", KeyKind.HOST, key).write(settings)
    return catalog


def _damage(settings: Settings, catalog: Catalog) -> Catalog:
    tables = kept.newest_folder(settings.warehouse / kept.FOLDER / passed.PASSED)
    (tables / f"{passed.PASSED}.parquet").write_bytes(b"PAR1")
    return catalog


@pytest.mark.parametrize("change", [_another_catalog, _another_key, _damage])
def test_all_are_checked_again_when_what_a_check_reads_has_changed(
    change: Callable[[Settings, Catalog], Catalog], settings: Settings
) -> None:
    judged(settings)
    catalog = change(settings, CATALOG)
    assert judged(settings, catalog)[1] == 3


@pytest.mark.parametrize("name", ["_CODE", "_of_runtimes", "software"])
def test_all_are_checked_again_by_other_code(
    name: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged(settings)
    monkeypatch.setattr(passed, name, "other" if name == "_CODE" else lambda: "other")
    assert judged(settings)[1] == 3


def test_code_that_is_replaced_while_it_runs_is_not_what_was_run(tmp_path: Path) -> None:
    """`git pull` beside a refresh: the checks are still those that were imported."""
    room = tmp_path / "expectations"
    shutil.copytree(ROOT / "expectations", room, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "benchmark_tasks").symlink_to(ROOT / "benchmark_tasks")
    (tmp_path / "dbt_project").symlink_to(ROOT / "dbt_project")
    script = """
from pathlib import Path
from expectations.suites import passed
before = passed._CODE
Path(passed.__file__).with_name("cross_run.py").write_text("# newer\\n")
from expectations.gate.intake import Intake
from benchmark_tasks import catalog
versions = {passed._version(Intake.of((), {}), catalog.load()) for _ in range(2)}
print(passed._CODE == before, len(versions), passed.__file__)
"""
    code = [sys.executable, "-c", script]
    done = subprocess.run(
        code, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True", "1", str(room / "suites" / "passed.py")]


def test_a_runtime_that_others_added_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = passed._of_runtimes()
    added = tmp_path / "added.py"
    added.write_text("RUNTIME = None")
    monkeypatch.setattr(kinds, "__path__", [*kinds.__path__, str(tmp_path)])
    first = passed._of_runtimes()
    added.write_text("RUNTIME = 1")
    kept.code_version.cache_clear()  # as in a new process
    assert len({before, first, passed._of_runtimes()}) == 3


def test_who_only_asks_writes_nothing(settings: Settings) -> None:
    judged(settings)
    home = settings.warehouse / kept.FOLDER / passed.PASSED
    before = kept.newest_folder(home)
    _another_key(settings, CATALOG)
    assert len(judge_now(settings)) == 3
    assert kept.newest_folder(home) == before


def test_a_bundle_that_was_touched_is_checked_again(settings: Settings) -> None:
    judged(settings)
    land(Store(settings.raw), sample_run(batch_size=128))
    assert judged(settings)[1] == 1
    folder = next(path for path in settings.raw.glob("*/*/*"))
    (folder / "run.json").touch()
    assert judged(settings)[1] == 1
    (folder / "run.json").chmod(0o600)
    (folder / "run.json").write_text((folder / "run.json").read_text().replace("}", "} ", 1))
    audit, count = judged(settings)
    assert count == 1
    assert [finding.key for finding in audit.findings] == [folder.name]


def test_a_run_of_which_an_earlier_one_appears_is_known_as_its_copy(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    store, earlier = Store(settings.raw), sample_run()
    later = earlier.model_copy(update={"run_id": new_run_id()})
    land(store, later)
    assert judged(settings)[0].findings == ()
    land(store, earlier)
    audit, count = judged(settings)
    assert count == 2
    assert [finding.key for finding in audit.findings if finding.check == "not_a_replay"] == [later.run_id]


def test_where_a_check_cannot_be_run_nobody_has_passed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = replace(run_checks()[0], column="no such column", observed=None)
    with monkeypatch.context() as patch:
        patch.setattr(passed, "run_checks", lambda: (broken,))
        audit, _ = judged(settings)
        assert [finding.key for finding in audit.findings] == [""]
    assert judged(settings)[1] == 3


def test_nothing_is_written_where_the_same_runs_pass(settings: Settings) -> None:
    judged(settings)
    home = settings.warehouse / kept.FOLDER / passed.PASSED
    before = kept.newest_folder(home)
    judged(settings)
    assert kept.newest_folder(home) == before
    assert pq.read_table(before / f"{passed.PASSED}.parquet").num_rows == 3


def test_no_check_of_a_run_depends_on_which_others_are_checked_with_it(tmp_path: Path) -> None:
    """Otherwise a run that passed could fail beside others."""
    settings = Settings(home=tmp_path)
    for fault in FAULTS:
        land_fault(Store(settings.raw), fault)
    landed, now = intake.read(settings), datetime.now(UTC)
    beside = beside_records(landed)
    together = columns(run_checks(), landed_runs(landed, CATALOG, now=now)).values.set_index("run_id")
    for part in (beside.iloc[::2], beside.iloc[1::2]):
        alone = landed_runs(landed, CATALOG, now=now, beside=part)
        values = columns(run_checks(), alone).values.set_index("run_id")
        pd.testing.assert_frame_equal(values, together.loc[values.index], check_index_type=False)
