"""What a refresh opens: bundles that are new or were touched, however many have landed."""

from __future__ import annotations

import builtins
import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from benchmark_tasks.results import bundle, cold
from benchmark_tasks.results.remote import Remote
from benchmark_tasks.results.schema import Run
from benchmark_tasks.results.store import Store
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.samples import sample_run
from expectations.gate import evidence, intake, kept
from expectations.gate.intake import Intake
from tests.expectations.gate_faults import land


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, list[Path]]:
    settings = Settings(home=tmp_path_factory.mktemp("few"))
    store = Store(settings.raw)
    return settings, [land(store, sample_run(batch_size=size)) for size in (1, 2, 3)]


def opened(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> tuple[Intake, list[str], list[str]]:
    """What a refresh reads; the folders of bundles of which it opened files, and those that it examined."""
    files: list[str] = []
    examined: list[str] = []
    examine, plain = evidence.examine, io.open

    def noted(run: Run, directory: Path) -> evidence.Evidence:
        examined.append(run.run_id)
        return examine(run, directory)

    def opening(file: object, *arguments: object, **options: object) -> object:
        path = Path(os.fspath(file)) if isinstance(file, str | os.PathLike) else None
        if path is not None and path.is_relative_to(settings.raw):
            files.append(path.parent.name)
        return plain(file, *arguments, **options)  # type: ignore[call-overload]

    with monkeypatch.context() as patch:
        patch.setattr(evidence, "examine", noted)
        patch.setattr(io, "open", opening)
        patch.setattr(builtins, "open", opening)
        taken = intake.read(settings)
        assert taken.digest
    return taken, sorted(set(files)), examined


def test_one_new_bundle_costs_the_same_among_any_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(home=tmp_path)
    store = Store(settings.raw)
    folders = [land(store, sample_run(batch_size=size)) for size in range(1, 21)]
    taken, files, examined = opened(settings, monkeypatch)
    assert set(files) == set(examined) == {path.name for path in folders}
    for _ in range(2):
        new = sample_run(batch_size=99)
        folders.append(land(store, new))
        taken, files, examined = opened(settings, monkeypatch)
        assert files == examined == [new.run_id]
        assert taken.count == len(folders)
        others = [land(store, sample_run(batch_size=size)) for size in range(1, 21)]
        folders.extend(others)
        intake.read(settings)
    taken, files, examined = opened(settings, monkeypatch)
    assert files == examined == []
    assert taken.count == 62


def rewritten(table: Path) -> None:
    """Another figure in a row that is right otherwise, in a table that is whole."""
    rows = pq.read_table(table)
    figures = [name for name in ("steady_counter_joules", "load_watts") if name in rows.column_names]
    column = rows.column_names.index(figures[0])
    doubled = pc.multiply(rows.column(column), 2.0)
    pq.write_table(rows.set_column(column, rows.field(column), doubled), table)


def flipped(table: Path) -> None:
    content = bytearray(table.read_bytes())
    content[len(content) // 3] ^= 1
    table.write_bytes(content)


FAULTS: dict[str, Callable[[Path], object]] = {
    "half-written": lambda table: table.write_bytes(table.read_bytes()[: table.stat().st_size // 2]),
    "a flipped bit": flipped,
    "another figure": rewritten,
    "gone": Path.unlink,
    "no checksums": lambda table: (table.parent / kept.SUMS_FILE).unlink(),
    "another file": lambda table: table.with_name("other.parquet").touch(),
}


@pytest.mark.parametrize("name", [intake.RECORDS, evidence.EVIDENCE])
@pytest.mark.parametrize("fault", FAULTS)
def test_kept_tables_that_are_not_as_written_are_named_and_every_bundle_is_read_again(
    name: str,
    fault: str,
    landed: tuple[Settings, list[Path]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings, folders = landed
    before, _, _ = opened(settings, monkeypatch)
    tables = kept.newest_folder(settings.warehouse / kept.FOLDER / name)
    FAULTS[fault](tables / f"{name}.parquet")
    again, files, _ = opened(settings, monkeypatch)
    assert set(files) == {path.name for path in folders}
    assert again.records.equals(before.records) and again.evidence.equals(before.evidence)
    assert [str(tables) in line for line in caplog.messages] == [True]
    _, files, _ = opened(settings, monkeypatch)
    assert files == [] and len(caplog.messages) == 1


def test_two_processes_may_keep_at_the_same_time(tmp_path: Path) -> None:
    """The other one takes the number that was next when this one began, and its table is replaced."""
    with kept.next_tables(tmp_path) as own:
        (own / "rows.parquet").write_text("own")
        (tmp_path / "1").mkdir()
        (tmp_path / "1" / "rows.parquet").write_text("other")
    assert [path.name for path in tmp_path.iterdir()] == ["2"]
    assert (tmp_path / "2" / "rows.parquet").read_text() == "own"


@pytest.mark.parametrize("moment", ["read_schema", "read_table"])
@pytest.mark.parametrize("removed", ["wholly", "half"])
def test_tables_that_another_process_replaces_are_read_as_they_are_then(
    removed: str,
    moment: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    schema = pa.schema([("row", pa.string())])

    def keep(value: str) -> None:
        with kept.next_tables(tmp_path) as folder:
            pq.write_table(pa.table({"row": [value]}, schema), folder / "rows.parquet")

    def half(folder: Path, ignore_errors: bool) -> None:
        """Files go first; then the folder."""
        if folder.name.isdigit():
            (folder / "rows.parquet").unlink()

    real, values = getattr(pq, moment), ["new"]

    def replaced_before(path: Path) -> object:
        if values:
            keep(values.pop())
        return real(path)

    keep("old")
    monkeypatch.setattr(pq, moment, replaced_before)
    if removed == "half":
        monkeypatch.setattr(shutil, "rmtree", half)
    table = kept.read_newest(tmp_path, "rows", schema)
    assert table is not None and table["row"].to_pylist() == ["new"]
    assert caplog.messages == []


def test_a_folder_that_leads_nowhere_is_named_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "7").symlink_to(tmp_path / "disk that is not mounted")
    assert kept.read_newest(tmp_path, "rows", pa.schema([("row", pa.string())])) is None
    assert [str(tmp_path / "7") in line for line in caplog.messages] == [True]


def test_without_kept_tables_or_with_those_of_other_code_every_bundle_is_read_again(
    landed: tuple[Settings, list[Path]], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings, folders = landed
    before, _, _ = opened(settings, monkeypatch)
    names = {path.name for path in folders}

    def read_again() -> bool:
        again, files, examined = opened(settings, monkeypatch)
        same = [table.records.drop_columns(intake.STATE) for table in (again, before)]  # it tells of the code
        assert same[0].equals(same[1]) and again.evidence.equals(before.evidence)
        return set(files) == set(examined) == names

    with monkeypatch.context() as patch:
        for module in (intake, evidence):
            patch.setattr(module, "_version", lambda: "0" * 16)
        assert read_again()
    assert read_again()
    for name, schema in ((intake.RECORDS, intake.SCHEMA), (evidence.EVIDENCE, evidence.SCHEMA)):
        fewer = kept.Kept(settings.warehouse, name, schema.remove(3))
        fewer.add("key", dict.fromkeys(schema.remove(3).names))
        fewer.keep()
    assert read_again()
    shutil.rmtree(settings.warehouse)
    assert read_again()
    assert caplog.messages == []


def test_a_kept_table_that_was_being_written_when_its_process_was_killed_is_no_table(
    landed: tuple[Settings, list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, _ = landed
    opened(settings, monkeypatch)
    home = settings.warehouse / kept.FOLDER / intake.RECORDS
    (home / ".1234").mkdir()
    (home / ".1234" / "records.parquet").write_bytes(b"PAR1")
    _, files, _ = opened(settings, monkeypatch)
    assert files == []


@pytest.mark.parametrize("times", ["new times", "times set back"])
def test_a_bundle_that_was_changed_meanwhile_is_read_again_and_found(
    times: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(home=tmp_path)
    store = Store(settings.raw)
    folders = [land(store, sample_run(batch_size=size)) for size in (1, 2, 3)]
    first = intake.read(settings)
    record = folders[0] / bundle.RUN_FILE
    text, status = record.read_text(), record.stat()
    record.write_text(text.replace('"completed"', '"failed"   ', 1))
    if times == "times set back":
        os.utime(record, ns=(status.st_atime_ns, status.st_mtime_ns))
    changed, files, examined = opened(settings, monkeypatch)
    assert files == examined == [folders[0].name]
    problems = [entry for entry in changed.evidence["problem"].to_pylist() if entry]
    assert changed.digest != first.digest
    assert len(problems) == 1 and str(record) in problems[0]
    record.write_text(text)
    mended = intake.read(settings)
    assert (mended.digest, mended.broken) == (first.digest, ())


def test_a_record_that_was_changed_beside_cold_storage_is_found(tmp_path: Path) -> None:
    """Its other files are not here: what was known of them is of the record that landed."""
    settings = Settings(home=tmp_path / "home")
    store = Store(settings.raw)
    run = sample_run()
    folder = land(store, run)
    cold.set_address(settings.raw, f"{tmp_path / 'cold'}/")
    intake.read(settings)
    store.move_to_cold(folder, Remote(f"{tmp_path / 'cold'}/"))
    assert intake.read(settings).evidence["problem"].to_pylist() == [None]
    (record,) = (settings.raw / cold.COLD).glob(f"*/*/{run.run_id}/{bundle.RUN_FILE}")
    text = record.read_text()
    record.write_text(text.replace('"completed"', '"failed"   ', 1))
    (problem,) = intake.read(settings).evidence["problem"].to_pylist()
    assert str(record) in problem
    record.write_text(text)
    assert intake.read(settings).evidence["problem"].to_pylist() == [None]


def test_kept_rows_with_those_that_came_and_went_are_what_reading_everything_gives(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    store = Store(settings.raw)
    earliest, *runs = [sample_run(batch_size=size) for size in range(1, 6)]
    folders = [land(store, run) for run in runs]
    intake.read(settings)
    land(store, earliest)
    shutil.rmtree(folders[1])
    taken = [intake.read(settings) for _ in range(2)]
    shutil.rmtree(settings.warehouse)
    taken.append(intake.read(settings))
    ids = sorted([earliest.run_id, *(run.run_id for run in runs if run is not runs[1])])
    for each in taken:
        assert each.records["run_id"].to_pylist() == each.evidence["run_id"].to_pylist() == ids
        assert each.records.equals(taken[-1].records)
        assert each.evidence.equals(taken[-1].evidence)
        assert each.digest == taken[-1].digest
