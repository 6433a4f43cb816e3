"""A bundle is landed whole or not at all, by any number of workers at once."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark_tasks.errors import BundleError, DiskFull
from benchmark_tasks.results import bundle
from benchmark_tasks.results.schema import new_run_id
from benchmark_tasks.results.store import INCOMING, Store
from benchmark_tasks.testing.samples import sample_run, write_sample


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty landing zone."""
    return Store(tmp_path / "raw")


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """A whole bundle that lies elsewhere."""
    return write_sample(tmp_path / "elsewhere", sample_run())


def files(folder: Path) -> dict[str, bytes]:
    """Every file under a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_bundle_lands_unchanged_and_is_listed(store: Store, sample: Path) -> None:
    landed = store.land_copy(sample)
    assert files(landed) == files(sample)
    assert landed.relative_to(store.root).parts[:2] == ("lm-arena-chat", "2026-11")
    assert [(run.run_id, path) for run, path in store.listing().runs] == [(sample.name, landed)]
    assert list((store.root / INCOMING).iterdir()) == []


def test_landing_twice_changes_nothing(store: Store, sample: Path) -> None:
    first = store.land_copy(sample)
    before = {path: path.stat().st_mtime_ns for path in first.iterdir()}
    assert store.land_copy(sample) == first
    assert {path: path.stat().st_mtime_ns for path in first.iterdir()} == before


def test_many_processes_land_the_same_bundles_at_once(store: Store, tmp_path: Path) -> None:
    samples = [write_sample(tmp_path / "elsewhere", sample_run()) for _ in range(5)]
    script = (
        "import sys; from pathlib import Path; from benchmark_tasks.results.store import Store\n"
        "sys.stdin.read(1)\n"
        "for path in sys.argv[2:]: Store(Path(sys.argv[1])).land_copy(Path(path))"
    )
    command = [sys.executable, "-c", script, str(store.root), *map(str, samples)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(4)]
    for process in processes:
        process.stdin.close()
    assert [process.wait(60) for process in processes] == [0] * 4
    listing = store.listing()
    assert {run.run_id for run, _ in listing.runs} == {path.name for path in samples}
    assert listing.broken == ()
    assert all(bundle.verify(path) for _, path in listing.runs)


@pytest.mark.parametrize("name", bundle.FILES)
def test_a_truncated_file_is_refused(store: Store, sample: Path, name: str) -> None:
    content = (sample / name).read_bytes()
    (sample / name).write_bytes(content[:-1])
    with pytest.raises(BundleError, match=f"{name}: changed or truncated"):
        store.land_copy(sample)
    assert store.listing().runs == ()


def test_a_tampered_number_is_refused(store: Store, sample: Path) -> None:
    path = sample / bundle.RUN_FILE
    path.write_text(path.read_text().replace("30000.0", "20000.0"))
    with pytest.raises(BundleError, match="changed or truncated"):
        store.land_copy(sample)


@pytest.mark.parametrize("name", [*bundle.FILES, bundle.CHECKSUMS_FILE])
def test_a_missing_file_is_refused(store: Store, sample: Path, name: str) -> None:
    (sample / name).unlink()
    with pytest.raises(BundleError, match=f"{name}: missing"):
        store.land_copy(sample)


def test_a_file_that_does_not_belong_is_refused(store: Store, sample: Path) -> None:
    (sample / "weights.bin").write_text("x")
    with pytest.raises(BundleError, match="not part of this bundle"):
        store.land_copy(sample)


def test_a_path_in_the_checksums_is_refused(store: Store, sample: Path) -> None:
    checksums = sample / bundle.CHECKSUMS_FILE
    checksums.write_text(checksums.read_text() + f"{'0' * 64}  ../../outside\n")
    with pytest.raises(BundleError, match="names a file that no bundle has"):
        store.land_copy(sample)


def test_a_renamed_bundle_is_refused(store: Store, sample: Path) -> None:
    renamed = sample.rename(sample.with_name(new_run_id()))
    with pytest.raises(BundleError, match="does not match its folder"):
        store.land_copy(renamed)


def test_the_listing_reports_what_it_cannot_read(store: Store, sample: Path, tmp_path: Path) -> None:
    whole = store.land_copy(sample)
    damaged = [store.land_copy(write_sample(tmp_path / "more", sample_run())) for _ in range(3)]
    (damaged[0] / bundle.RUN_FILE).unlink()
    (damaged[1] / bundle.RUN_FILE).write_text('{"schema_version": 99}')
    (damaged[2] / bundle.RUN_FILE).write_bytes(b"\x00\xff")
    (whole.parent / "notes.txt").write_text("left by a person")
    listing = store.listing()
    assert [path for _, path in listing.runs] == [whole]
    assert {broken.path for broken in listing.broken} == {*damaged, whole.parent / "notes.txt"}
    assert all(broken.reason and "\n" not in broken.reason for broken in listing.broken)


def test_the_listing_of_nothing_is_empty(store: Store) -> None:
    assert not store.listing().runs and not store.listing().broken


def test_a_staging_folder_goes_when_the_measurement_fails(store: Store) -> None:
    with pytest.raises(RuntimeError), store.staging(new_run_id()) as staged:
        (staged / "server.log").write_text("half")
        raise RuntimeError
    assert files(store.root) == {}


def test_an_unfinished_bundle_does_not_land(store: Store) -> None:
    with store.staging(new_run_id()) as staged:
        (staged / bundle.SERVER_LOG).write_text("half")
        with pytest.raises(BundleError, match="SHA256SUMS: missing"):
            store.land(staged)
    assert store.listing().runs == ()


def test_what_a_killed_process_left_is_swept_up(store: Store, sample: Path) -> None:
    """And what a live process has staged is not."""
    script = (
        "import sys, signal; from pathlib import Path; from benchmark_tasks.results.store import Store\n"
        "with Store(Path(sys.argv[1])).staging(sys.argv[2]) as staged:\n"
        "    (staged / 'server.log').write_text('half'); print(staged, flush=True); signal.pause()"
    )
    command = [sys.executable, "-c", script, str(store.root), new_run_id()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        staged = Path(process.stdout.readline().strip())
        assert store.sweep_up() == 0
        assert (staged / "server.log").exists()
        process.send_signal(signal.SIGKILL)
    assert not store.listing().runs and not store.listing().broken
    assert store.sweep_up() == 1
    assert not staged.parent.exists()
    assert bundle.verify(store.land_copy(sample))


def test_a_full_disk_is_one_line_and_nothing_is_half_landed(small_disk: Path, sample: Path) -> None:
    store = Store(small_disk / "raw")
    first = store.land_copy(sample)
    filler = small_disk / "filler"
    free = shutil.disk_usage(small_disk).free
    filler.write_bytes(b"x" * (free - 4096))
    another = write_sample(sample.parent, sample_run())
    with pytest.raises(DiskFull, match="free some space or move JOULEBOARD_HOME"):
        store.land_copy(another)
    assert [path for _, path in store.listing().runs] == [first]
    assert store.listing().broken == ()
    assert not any((store.root / INCOMING).iterdir())
    filler.unlink()
    assert bundle.verify(store.land_copy(another))
