"""ML.ENERGY's published results: all files are read and checked, then stored as immutable Parquet.

<home>/imports/mlenergy-v3/<content hash>/
    mlenergy_configurations.parquet  mlenergy_models.parquet  mlenergy_output_lengths.parquet
    import.json                      source, time, number of rows
<home>/imports/mlenergy-v3/current   link to the import in use, switched atomically
<home>/imports/mlenergy-v3/.fetched/ what had arrived when a connection broke for good; the next one goes on

The folder is named by the content of the files read: importing the same files again changes nothing.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmark_tasks import catalog
from benchmark_tasks.disk import disk_full_is_an_error, lock, switch_link, sync
from benchmark_tasks.errors import ImportBusy, ImportRefused, SourceUnreachable
from benchmark_tasks.imports import toolkit
from benchmark_tasks.imports.earlier import corrected_since, refuse_earlier
from benchmark_tasks.imports.leaderboard import Measurement, Reader
from benchmark_tasks.imports.rows import Model
from benchmark_tasks.imports.source import (
    PUBLIC_ADDRESS,
    CheckedSource,
    FolderSource,
    Source,
    WebSource,
    open_source,
)
from benchmark_tasks.imports.tables import SCHEMAS, measurement_tables, models_table, write_with_every_key
from benchmark_tasks.settings import Settings
from benchmark_tasks.vocabulary import DataSource, Task

MANIFEST = "import.json"
CURRENT = "current"
INCOMING = ".incoming"
FETCHED = ".fetched"


@dataclass(frozen=True)
class ImportResult:
    """Result of an import. `changed` is false if the same content was already in use."""

    directory: Path
    content_hash: str
    changed: bool
    configurations: int
    models: int
    tasks: int


def import_results(
    path_or_url: str | None, settings: Settings, *, note: str | None = None, expect: str | None = None
) -> ImportResult:
    """Read published results, check every field, store them and make them the current import.

    path_or_url: folder or http(s) address with index.json, tasks/ and models/; or a folder with
        ML.ENERGY's own raw results or Parquet, which the `mlenergy-data` package then reads. `None`:
        the address where ML.ENERGY publishes them. Results of v1 and v2 are refused by name (`earlier.py`).
    expect: content hash that an earlier import of the same files told; other content is refused.

    Raises:
        SourceUnreachable: the address does not answer; what has arrived is kept for the next try.
        ImportRefused: a file is missing, truncated or wrong; names file, row and reason. The last
            import stays current, and nothing of what was fetched is kept.
        DiskFull: no space; nothing was written.
    """
    try:
        return _import(path_or_url or PUBLIC_ADDRESS, settings, note, expect)
    except ImportRefused as error:
        if path_or_url:
            raise
        raise type(error)(
            f"no address or folder was given, so the public address was read: {error}"
        ) from error


def _import(path_or_url: str, settings: Settings, note: str | None, expect: str | None) -> ImportResult:
    root = _root(settings)
    source = open_source(path_or_url, root / FETCHED)
    if isinstance(source, FolderSource) and not (source.root / "index.json").exists():
        refuse_earlier(source.root)
    with _alone(root, source), _incoming(root) as staging, disk_full_is_an_error(root):
        if isinstance(source, FolderSource) and toolkit.is_raw(source.root):
            content_hash, counts = toolkit_import(source.root, staging)
        else:
            content_hash, counts = _leaderboard_import(Reader(CheckedSource(source), _tdp_watts()), staging)
        if expect is not None and content_hash != expect:
            raise ImportRefused(
                f"{source.name}: its content hash is {content_hash}, not {expect}; nothing was imported"
            )
        _write_manifest(staging, source.name, content_hash, counts, note)
        changed = _land(staging, root / content_hash)
    shutil.rmtree(root / FETCHED, ignore_errors=True)
    return ImportResult(directory=root / content_hash, content_hash=content_hash, changed=changed, **counts)


def current(settings: Settings) -> Path | None:
    """Folder of the import in use; `None` when nothing has been imported."""
    link = _root(settings) / CURRENT
    return link.resolve() if link.is_symlink() and link.is_dir() else None


def write_inputs(settings: Settings, directory: Path) -> None:
    """Write the three tables of the current import into `directory`; empty tables if there is no import."""
    folder = current(settings)
    for name, schema in SCHEMAS.items():
        target = directory / f"{name}.parquet"
        if folder is None:
            pq.write_table(schema.empty_table(), target)
        else:
            write_with_every_key(folder / target.name, target, schema)


def _leaderboard_import(reader: Reader, staging: Path) -> tuple[str, dict[str, int]]:
    index = reader.index()
    per_task = (reader.measurements(task, index.models) for task in index.tasks)
    try:
        counts = write_tables(staging, index.models, per_task, index.last_updated, reader.source.name)
    except SourceUnreachable:
        raise
    except ImportRefused as error:
        raise ImportRefused(f"{error}{corrected_since(index.last_updated)}") from error
    return reader.content_hash, counts


def toolkit_import(root: Path, staging: Path) -> tuple[str, dict[str, int]]:
    """Read raw results or Parquet through `mlenergy-data`; the same checks apply to every row."""
    results = toolkit.read(root, _tdp_watts())
    counts = write_tables(
        staging, results.models, iter(results.by_task.values()), results.published_on, str(root)
    )
    return results.content_hash, counts


def write_tables(
    staging: Path,
    models: dict[str, Model],
    per_task: Iterator[list[Measurement]] | Iterable[list[Measurement]],
    published_on: date,
    where: str,
) -> dict[str, int]:
    """Write the three tables, one task in memory at a time; returns the counts for the result."""
    tasks: set[Task] = set()
    seen: set[str] = set()
    rows = 0
    with ExitStack() as stack:
        writers = {
            name: stack.enter_context(
                pq.ParquetWriter(staging / f"{name}.parquet", schema, compression="zstd")
            )
            for name, schema in SCHEMAS.items()
        }
        for measurements in per_task:
            tasks |= {measurement.task for measurement in measurements}
            seen |= {measurement.row.model_id for measurement in measurements}
            rows += len(measurements)
            for name, table in measurement_tables(measurements, published_on).items():
                writers[name].write_table(table)
        if unmeasured := sorted(models.keys() - seen):
            raise ImportRefused(
                f"{where}/index.json: models: {unmeasured[0]} has no configuration in any task"
            )
        writers["mlenergy_models"].write_table(models_table(models))
    return {"configurations": rows, "models": len(models), "tasks": len(tasks)}


def _tdp_watts() -> dict[str, float]:
    return {name: gpu.tdp_watts for name, gpu in catalog.load().gpus.items()}


def _root(settings: Settings) -> Path:
    return settings.imports / DataSource.MLENERGY_V3


@contextmanager
def _alone(root: Path, source: Source) -> Iterator[None]:
    """Hold the lock of imports from addresses: two of them would write the same files.

    What was refused is forgotten: the server may call it unchanged for ever.
    """
    if not isinstance(source, WebSource):
        yield
        return
    with lock(
        root / FETCHED / ".lock",
        busy=lambda holder: ImportBusy(f"another import is running ({holder}); try again when it ends"),
        note=f"process {os.getpid()} since {datetime.now(UTC):%F %T} UTC",
    ):
        try:
            yield
        except SourceUnreachable:
            raise
        except ImportRefused:
            source.forget()
            raise


@contextmanager
def _incoming(root: Path) -> Iterator[Path]:
    """A private folder beside the imports; folders that killed processes left there are removed first."""
    incoming = root / INCOMING
    for leftover in (*incoming.glob("*"), *root.glob(f".{CURRENT}.*")):
        pid = leftover.name.rpartition(".")[2]
        if Path(f"/proc/{pid}").exists():
            continue
        if leftover.is_symlink():
            leftover.unlink(missing_ok=True)
        else:
            shutil.rmtree(leftover, ignore_errors=True)
    path = incoming / str(os.getpid())
    shutil.rmtree(path, ignore_errors=True)
    with disk_full_is_an_error(root):
        path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _write_manifest(
    staging: Path, source: str, content_hash: str, counts: dict[str, int], note: str | None
) -> None:
    manifest = {
        "data_source": DataSource.MLENERGY_V3.value,
        "source": source,
        "note": note,
        "content_hash": content_hash,
        "imported_at": datetime.now(UTC).isoformat(timespec="seconds"),
        **counts,
    }
    (staging / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")


def _land(staging: Path, final: Path) -> bool:
    """Rename the staged folder into place and point `current` at it; returns whether anything changed."""
    link = final.parent / CURRENT
    if final.is_dir() and _is_whole(final):
        if link.is_symlink() and link.readlink() == Path(final.name):
            return False
    else:
        shutil.rmtree(final, ignore_errors=True)
        for path in staging.iterdir():
            sync(path)
        staging.rename(final)
        sync(final.parent)
    switch_link(link, final.name)
    return True


def _is_whole(directory: Path) -> bool:
    try:
        return (directory / MANIFEST).is_file() and all(
            pq.read_schema(directory / f"{name}.parquet").equals(schema) for name, schema in SCHEMAS.items()
        )
    except (OSError, pa.ArrowInvalid):
        return False
