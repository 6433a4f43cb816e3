"""Rows of a real data set, from a folder on this machine or from the model hub.

    $JOULEBOARD_DATA_SETS/<name>/*.parquet or *.jsonl     read in the order of their names
    $JOULEBOARD_DATA_SETS/<name>/REVISION                 the hub's commit, if it was copied from there
    $JOULEBOARD_DATA_SETS/<name>/media/                   files that rows name: clips, recordings

Only the hub's client reads the hub's token (`HF_TOKEN`, `hf auth login`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from benchmark_tasks.catalog import DataSetEntry, PromptForm
from benchmark_tasks.errors import IndexUnreachable, RequestSetError
from benchmark_tasks.settings import Settings
from benchmark_tasks.workloads.own_prompts import LFS_POINTER

REVISION_FILE = "REVISION"
MEDIA_FOLDER = "media"
_COMMIT_DIGITS = 40

COLUMNS = {
    PromptForm.CONVERSATION: ("conversation_a",),
    PromptForm.MULTIPLE_CHOICE: (
        "Question",
        "Correct Answer",
        "Incorrect Answer 1",
        "Incorrect Answer 2",
        "Incorrect Answer 3",
    ),
    PromptForm.FILL_IN_THE_MIDDLE: ("prefix", "suffix"),
    PromptForm.IMAGE_CONVERSATION: ("conversation", "images"),
    PromptForm.VIDEO_QUESTION: ("conversations", "video"),
    PromptForm.AUDIO_QUESTION: ("conversations", "sound"),
    PromptForm.PROMPTS: ("prompt",),
}
"""The columns that a form of prompt needs; no others are read."""

_IN_ARCHIVES = (PromptForm.VIDEO_QUESTION, PromptForm.AUDIO_QUESTION)
"""Forms whose rows name files; pictures are in the rows themselves."""


@dataclass(frozen=True)
class Rows:
    """Rows in the data set's own order, and the commit (or, for files of a person's own, hash) of it.

    media: folder of the files that rows name.
    """

    revision: str
    rows: Sequence[Mapping[str, Any]]
    media: Path | None = None


def rows_of(name: str, entry: DataSetEntry, settings: Settings) -> Rows:
    """The rows of a data set, from the local copy if there is one, else from the hub.

    Raises:
        RequestSetError: no client for the hub, access refused, or not the columns it should have.
        IndexUnreachable: the hub did not answer.
    """
    folder = settings.data_sets / name if settings.data_sets else None
    if folder is not None and folder.is_dir():
        return _from_folder(folder, COLUMNS[entry.form])
    return _from_hub(name, entry, offline=settings.hub_offline)


def save(name: str, data: Rows, folder: Path) -> Path:
    """Write rows where `rows_of` finds them, for a machine without the hub."""
    target = folder / name
    target.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist([dict(row) for row in data.rows]), target / "rows.parquet")
    (target / REVISION_FILE).write_text(data.revision + "\n")
    return target


def _from_folder(folder: Path, columns: Sequence[str]) -> Rows:
    files = sorted([*folder.glob("*.parquet"), *folder.glob("*.jsonl")])
    if not files:
        raise RequestSetError(f"{folder}: no .parquet or .jsonl file here; `jouleboard data-set` writes one")
    rows: list[Mapping[str, Any]] = []
    for file in files:
        rows += _read(file, columns)
    return Rows(_revision(folder, files), rows, folder / MEDIA_FOLDER)


def _read(file: Path, columns: Sequence[str]) -> list[Mapping[str, Any]]:
    needs = f"it needs {', '.join(columns)}"
    try:
        with file.open("rb") as opened:
            if opened.read(len(LFS_POINTER)) == LFS_POINTER:
                raise RequestSetError(f"{file}: only a pointer of Git LFS: run `git lfs pull` there")
        if file.suffix == ".parquet":
            return list(pq.read_table(file, columns=list(columns)).to_pylist())
        lines = file.read_bytes().split(b"\n")
    except (OSError, ValueError, pa.ArrowException) as error:
        raise RequestSetError(f"{file}: {str(error).splitlines()[0]}; {needs}") from error
    return [_picked(file, number, line, columns) for number, line in enumerate(lines, 1) if line.strip()]


def _picked(file: Path, number: int, line: bytes, columns: Sequence[str]) -> Mapping[str, Any]:
    """The columns of a line of JSON.

    Raises:
        RequestSetError: names the row and the field.
    """
    needs = f"it needs {', '.join(columns)}"
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise RequestSetError(f"{file}: row {number}: not JSON: {error}; {needs}") from error
    if not isinstance(row, dict):
        raise RequestSetError(f"{file}: row {number}: not an object; {needs}")
    missing = next((column for column in columns if column not in row), None)
    if missing is not None:
        raise RequestSetError(f"{file}: row {number}: no column {missing!r}; {needs}")
    return {column: row[column] for column in columns}


def _revision(folder: Path, files: Sequence[Path]) -> str:
    """The revision that `save` wrote, or else a hash of the files, so that other content has another id."""
    note = folder / REVISION_FILE
    if note.exists():
        return note.read_text().strip()
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return f"local.{digest.hexdigest()}"


def _from_hub(name: str, entry: DataSetEntry, *, offline: bool) -> Rows:
    if entry.form in _IN_ARCHIVES:
        raise RequestSetError(
            f"data set {name}: the files of {entry.hub_id} come in archives; unpack them to "
            f"$JOULEBOARD_DATA_SETS/{name}/{MEDIA_FOLDER}, rows beside it ({', '.join(COLUMNS[entry.form])})"
        )
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        import datasets
        import huggingface_hub
    except ModuleNotFoundError as error:
        raise RequestSetError(
            f"data set {name} needs the package {error.name}: pip install datasets, "
            "or set JOULEBOARD_DATA_SETS to a folder with a copy"
        ) from error
    datasets.disable_progress_bars()
    huggingface_hub.logging.set_verbosity_error()  # its messages about retries would mix with ours
    try:
        revision: str | None = entry.revision
        if entry.revision is not None and len(entry.revision) != _COMMIT_DIGITS:
            revision = huggingface_hub.HfApi().dataset_info(str(entry.hub_id), revision=entry.revision).sha
        first = entry.first_rows
        loaded = datasets.load_dataset(
            entry.hub_id, entry.subset, split=entry.split, revision=revision, streaming=first is not None
        ).select_columns(list(COLUMNS[entry.form]))
        return Rows(str(revision), loaded.to_list() if first is None else list(loaded.take(first)))
    except Exception as error:  # noqa: BLE001  the clients raise each other's errors; none may carry a token out
        raise _one_line(name, entry, error, offline=offline) from None


def _one_line(
    name: str, entry: DataSetEntry, error: BaseException, *, offline: bool
) -> RequestSetError | IndexUnreachable:
    """One line that says what to do. It never quotes a client's message, which may contain a token."""
    kinds = {type(cause).__name__ for cause in _causes(error)}
    texts = " ".join(str(cause).lower() for cause in _causes(error))
    remedy = "or set JOULEBOARD_DATA_SETS to a folder with a copy"
    if "GatedRepoError" in kinds or "is a gated dataset" in texts:
        return RequestSetError(
            f"data set {name} ({entry.hub_id}) is gated: accept its terms on the hub "
            f"and set HF_TOKEN, {remedy}"
        )
    if offline:
        branch = "" if len(str(entry.revision)) == _COMMIT_DIGITS else "; only a commit can be found there"
        return IndexUnreachable(
            f"data set {name}: HF_HUB_OFFLINE is set, and {entry.hub_id} at {entry.revision} is not in the "
            f"cache{branch}: ask the hub once, {remedy}"
        )
    if kinds & {"RepositoryNotFoundError", "RevisionNotFoundError"} or "401" in texts:
        return RequestSetError(
            f"data set {name}: the hub has no {entry.hub_id} at {entry.revision}, or it is private: "
            f"check HF_TOKEN and the catalog, {remedy}"
        )
    if any(isinstance(cause, OSError) or "Connect" in type(cause).__name__ for cause in _causes(error)):
        return IndexUnreachable(f"the model hub did not answer for {entry.hub_id}: try again, {remedy}")
    return RequestSetError(f"data set {name} ({entry.hub_id}): {type(error).__name__}; {remedy}")


def _causes(error: BaseException | None) -> list[BaseException]:
    causes: list[BaseException] = []
    while error is not None and error not in causes:
        causes.append(error)
        error = error.__cause__ or error.__context__
    return causes
