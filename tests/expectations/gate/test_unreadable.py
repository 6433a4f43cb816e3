"""What cannot be read at one moment is set aside for this moment only, and stops nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from benchmark_tasks.errors import BundleError, LandingZoneUnreachable
from benchmark_tasks.results import bundle
from benchmark_tasks.results.schema import Run
from benchmark_tasks.results.store import Store
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.samples import sample_run
from expectations.candidate import profiles
from expectations.gate import intake, quarantine
from tests.expectations.gate_faults import land
from tests.folders import as_nobody, folder_for_everybody, unreadable


@pytest.fixture
def home() -> Iterator[Settings]:
    """A home that every account may read and write."""
    with folder_for_everybody() as folder:
        settings = Settings(home=folder)
        settings.warehouse.mkdir()
        settings.warehouse.chmod(0o777)
        yield settings


@pytest.fixture
def landed(home: Settings) -> tuple[tuple[Run, Path], ...]:
    store = Store(home.raw)
    runs = [sample_run(batch_size=size) for size in (8, 16, 32)]
    return tuple((run, land(store, run)) for run in runs)


def problems(settings: Settings) -> dict[str, str]:
    """By run, or by folder: why it is set aside."""
    with as_nobody():
        taken = intake.read(settings)
        assert taken.digest
    facts = taken.evidence.to_pylist()
    found = {entry["run_id"]: str(entry["problem"]) for entry in facts if entry["problem"]}
    verdicts = quarantine.judge(taken.landing, (), {}, frozenset())
    return found | {name: verdict.reasons for name, verdict in verdicts.items() if not verdict.accepted}


@pytest.mark.parametrize("name", [*bundle.FILES, bundle.CHECKSUMS_FILE, ""])
def test_a_bundle_that_is_unreadable_once_counts_once_it_can_be_read(
    home: Settings, landed: tuple[tuple[Run, Path], ...], name: str
) -> None:
    (run, path), *_ = landed
    with unreadable(path / name):
        before = problems(home)
        assert list(before) == [run.run_id]
        assert "cannot be read now (Permission denied)" in before[run.run_id]
        assert "\n" not in before[run.run_id]
        assert problems(home) == before
    assert problems(home) == {}
    with as_nobody():
        assert intake.read(home).count == 3


def test_a_bundle_that_was_good_is_judged_again_when_it_becomes_unreadable(
    home: Settings, landed: tuple[tuple[Run, Path], ...]
) -> None:
    (run, path), *_ = landed
    assert problems(home) == {}
    with unreadable(path):
        assert list(problems(home)) == [run.run_id]
    assert problems(home) == {}


def test_folders_of_bundles_that_cannot_be_read_have_a_line_each(
    home: Settings, landed: tuple[tuple[Run, Path], ...]
) -> None:
    others = [home.raw / "gpqa" / "2026-11", home.raw / "image-chat" / "2026-11", home.raw / "looped"]
    for folder in others[:2]:
        folder.mkdir(parents=True)
        folder.chmod(0)
    others[2].symlink_to("looped")
    (home.raw / "notes.txt").write_text("a file, not a folder")
    lines = problems(home)
    assert sorted(lines) == ["2026-11", "image-chat/2026-11", "looped"]
    with as_nobody():
        listing = Store(home.raw).listing()
    assert len(listing.runs) == 3 and len(listing.broken) == 3


def test_a_landing_zone_that_cannot_be_read_is_one_line(
    home: Settings, landed: tuple[tuple[Run, Path], ...]
) -> None:
    with (
        unreadable(home.raw),
        as_nobody(),
        pytest.raises(LandingZoneUnreachable, match=r"raw: cannot be read now \(Permission denied\)"),
    ):
        intake.read(home)


def test_an_unreadable_source_is_not_landed_and_says_so(
    home: Settings, landed: tuple[tuple[Run, Path], ...]
) -> None:
    (_, path), *_ = landed
    with (
        unreadable(path / bundle.REQUESTS_FILE),
        as_nobody(),
        pytest.raises(BundleError, match="cannot be read now"),
    ):
        Store(home.home / "elsewhere").land_copy(path)


def test_a_profile_that_could_not_be_read_is_not_kept(
    home: Settings, landed: tuple[tuple[Run, Path], ...]
) -> None:
    bundles = [(run.run_id, path, run.run_id) for run, path in landed]
    (first, path), *_ = landed

    def drawn() -> set[str]:
        table = profiles.gather(bundles, home.warehouse) / "power_profiles.parquet"
        return set(pq.read_table(table)["run_id"].to_pylist())

    with unreadable(path / bundle.TIMELINES_FILE), as_nobody():
        assert drawn() == {run.run_id for run, _ in landed} - {first.run_id}
    assert drawn() == {run.run_id for run, _ in landed}
