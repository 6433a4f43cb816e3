"""ML.ENERGY's leaderboard layout, read task by task with every field checked.

<root>/index.json                       models, tasks, architectures, last_updated
<root>/tasks/<task>.json                every configuration of a task
<root>/models/<model, / as __>__<task>.json   the same rows again, with output-length histograms

The files repeat each other; a value that differs between them is an error, as is a row that
fails a check of `rows.py`. The first problem stops the import; its message names file, row and field.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from benchmark_tasks.errors import ImportRefused
from benchmark_tasks.imports.rows import (
    DiffusionRow,
    LanguageRow,
    Model,
    OutputLengths,
    Row,
    broken_checks,
    broken_histogram,
    row_type,
)
from benchmark_tasks.imports.source import Source, parse_object
from benchmark_tasks.vocabulary import Architecture, Task

Key = tuple[str, str, str, int, int, int, int]
"""Task, model, GPU model, number of GPUs, batch size, Ulysses and ring degree (1 for LLMs)."""

KNOWN_REPLICATES: frozenset[Key] = frozenset(
    {
        (Task.GPQA, "openai/gpt-oss-20b", "H100", 1, 96, 1, 1),
        (Task.LM_ARENA_CHAT, "Qwen/Qwen3-30B-A3B-Instruct-2507", "H100", 2, 256, 1, 1),
        (Task.LM_ARENA_CHAT, "Qwen/Qwen3-30B-A3B-Instruct-2507", "H100", 2, 512, 1, 1),
    }
)
"""The keys that v3.0 holds twice: real repeat measurements with different numbers of requests
(data dictionary, note 1). Any other key that occurs twice is a fault in the data."""

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FIRST_DAY = date(2020, 1, 1)
"""ML.ENERGY has published since 2023."""

_MODEL_FIELDS = frozenset(Model.model_fields)


@dataclass(frozen=True)
class Measurement:
    """One published row with what the model file adds. `row_number` counts from 0 within the task file."""

    task: Task
    row_number: int
    row: Row
    lengths: OutputLengths | None


@dataclass(frozen=True)
class Index:
    """The content of index.json."""

    last_updated: date
    tasks: tuple[Task, ...]
    models: dict[str, Model]


@dataclass
class Reader:
    """Reads a source once, file by file, and hashes what it reads.

    tdp_watts: thermal design power of one GPU by GPU model.
    """

    source: Source
    tdp_watts: Mapping[str, float]
    _hash: Any = field(default_factory=hashlib.sha256)

    @property
    def content_hash(self) -> str:
        """SHA-256 over the names and contents of the files read so far, first 16 hex digits."""
        return str(self._hash.hexdigest())[:16]

    def index(self) -> Index:
        """Read index.json."""
        content = self._read("index.json")
        where = self._where("index.json")
        _expect_keys(content, {"architectures", "last_updated", "models", "tasks"}, where)
        tasks = tuple(_task(name, where) for name in _list(content, "tasks", where))
        if len(set(tasks)) != len(tasks):
            raise ImportRefused(f"{where}: tasks: a task is listed twice")
        _check_architectures(content["architectures"], tasks, where)
        return Index(
            last_updated=_date(content["last_updated"], where),
            tasks=tasks,
            models={
                model_id: _parsed(Model, fields, where, f"models: {model_id}")
                for model_id, fields in _dict(content, "models", where).items()
            },
        )

    def measurements(self, task: Task, models: Mapping[str, Model]) -> list[Measurement]:
        """Every row of one task, in the file's order."""
        rows = self._rows(task, models)
        lengths = self._lengths(task, rows, models)
        _check_replicates(task, rows, lengths, self._where(f"tasks/{task}.json"))
        return [Measurement(task, i, row, lengths.get(i)) for i, row in enumerate(rows)]

    def _rows(self, task: Task, models: Mapping[str, Model]) -> list[Row]:
        path = f"tasks/{task}.json"
        content, where = self._read(path), self._where(path)
        allowed = {"task", "task_display_name", "configurations"}
        if task.architecture is Architecture.DIFFUSION:
            allowed |= {"architecture"}
        _expect_keys(content, allowed, where)
        if content["task"] != task:
            raise ImportRefused(f"{where}: task: says {content['task']!r}, index.json says {task}")
        rows = []
        for number, fields in enumerate(_list(content, "configurations", where)):
            row: Row = _parsed(row_type(task), fields, where, f"row {number}{_hint(fields)}")
            _check_row(row, models, self.tdp_watts, f"{where}: row {number} ({row.label()})")
            rows.append(row)
        return rows

    def _lengths(self, task: Task, rows: list[Row], models: Mapping[str, Model]) -> dict[int, OutputLengths]:
        by_model: dict[str, list[int]] = {}
        for number, row in enumerate(rows):
            by_model.setdefault(row.model_id, []).append(number)
        lengths: dict[int, OutputLengths] = {}
        for model_id in sorted(by_model):
            numbers = by_model[model_id]
            histograms = self._model_file(task, model_id, models[model_id], [rows[n] for n in numbers])
            lengths |= dict(zip(numbers, histograms, strict=False))
        return lengths

    def _model_file(self, task: Task, model_id: str, model: Model, rows: list[Row]) -> list[OutputLengths]:
        path = f"models/{model_id.replace('/', '__')}__{task}.json"
        content, where = self._read(path), self._where(path)
        configurations = _list(content, "configurations", where)
        expected = {"model_id": model_id, "task": str(task)} | model.model_dump(exclude_none=True)
        for name, value in expected.items():
            if name in content and content[name] != value:
                raise ImportRefused(f"{where}: {name}: says {content[name]!r}, index.json says {value!r}")
        if len(configurations) != len(rows):
            raise ImportRefused(
                f"{where}: {len(configurations)} configurations, tasks/{task}.json has {len(rows)}"
            )
        lengths = []
        for number, (fields, row) in enumerate(zip(configurations, rows, strict=True)):
            row_where = f"{where}: row {number} ({row.label()})"
            histogram = _check_repeated(fields, row, row_where)
            if isinstance(row, LanguageRow):
                lengths.append(_parsed(OutputLengths, histogram, row_where, "output_length_distribution"))
                _raise_first(broken_histogram(row, lengths[-1]), row_where)
        return lengths

    def _read(self, path: str) -> dict[str, Any]:
        content = self.source.read(path)
        self._hash.update(path.encode() + b"\0" + hashlib.sha256(content).digest())
        return parse_object(content, self._where(path))

    def _where(self, path: str) -> str:
        return f"{self.source.name}/{path}"


def key_of(task: Task, row: Row) -> Key:
    """The published key of a row."""
    degrees = (row.ulysses_degree, row.ring_degree) if isinstance(row, DiffusionRow) else (1, 1)
    return (task, row.model_id, row.gpu_model, row.num_gpus, row.items_together, *degrees)


def check_replicates(task: Task, rows: list[Row], where: str) -> None:
    """Refuse a key that occurs twice, unless it is one of the known replicates and occurs exactly twice.

    Raises:
        ImportRefused: names both rows.
    """
    seen: dict[Key, list[int]] = {}
    for number, row in enumerate(rows):
        numbers = seen.setdefault(key_of(task, row), [])
        numbers.append(number)
        if len(numbers) > (2 if key_of(task, row) in KNOWN_REPLICATES else 1):
            same = "the same" if rows[numbers[0]] == row else "different"
            raise ImportRefused(
                f"{where}: row {number} ({row.label()}): the same configuration as row {numbers[0]}, with"
                f" {same} values; only {len(KNOWN_REPLICATES)} known configurations were measured twice"
            )


def _check_replicates(task: Task, rows: list[Row], lengths: dict[int, OutputLengths], where: str) -> None:
    check_replicates(task, rows, where)
    requests: dict[tuple[Key, int], int] = {}
    for number, histogram in lengths.items():
        measured = (key_of(task, rows[number]), histogram.completed_requests)
        if requests.setdefault(measured, number) != number:
            raise ImportRefused(
                f"{where}: row {number} ({rows[number].label()}): repeats row {requests[measured]} with"
                " the same number of requests; a repeated measurement has another number"
            )


def _check_row(row: Row, models: Mapping[str, Model], tdp_watts: Mapping[str, float], where: str) -> None:
    model = models.get(row.model_id)
    if model is None:
        raise ImportRefused(f"{where}: model_id: not among the models of index.json")
    check_row(row, tdp_watts, where)
    for name in _MODEL_FIELDS & type(row).model_fields.keys():
        if getattr(row, name) != getattr(model, name):
            raise ImportRefused(
                f"{where}: {name}: {getattr(row, name)!r} here, {getattr(model, name)!r} in index.json"
            )


def check_row(row: Row, tdp_watts: Mapping[str, float], where: str) -> None:
    """Raise `ImportRefused` for the first check that a row does not pass."""
    _raise_first(broken_checks(row, tdp_watts), where)


def _raise_first(broken: Iterator[Any], where: str) -> None:
    for check in broken:
        raise ImportRefused(f"{where}: {check.field}: {check.reason}")


def _check_repeated(fields: Any, row: Row, where: str) -> Any:
    """Compare a model file's row with the task file's; returns its histogram, if any."""
    if not isinstance(fields, dict):
        raise ImportRefused(f"{where}: not an object")
    rest = dict(fields)
    histogram = rest.pop("output_length_distribution", None)
    parallelization = rest.pop("parallelization", None)
    if not isinstance(parallelization, dict):
        raise ImportRefused(f"{where}: parallelization: missing")
    rest |= {name: value for name, value in parallelization.items() if name != "notes"}
    expected = row.model_dump(exclude={"model_id"} | set(_MODEL_FIELDS))
    for name in sorted(expected.keys() | rest.keys()):
        if rest.get(name) != expected.get(name):
            raise ImportRefused(
                f"{where}: {name}: {rest.get(name)!r} here, {expected.get(name)!r} in the task's file"
            )
    return histogram


def _parsed(kind: Any, fields: Any, where: str, what: str) -> Any:
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        value = "" if first["type"] == "missing" else f" (got {str(first['input'])[:60]})"
        raise ImportRefused(f"{where}: {what}: {name or 'row'}: {first['msg']}{value}") from error


def _hint(fields: Any) -> str:
    return f" ({fields['model_id']})" if isinstance(fields, dict) and "model_id" in fields else ""


def _expect_keys(content: dict[str, Any], expected: set[str], where: str) -> None:
    for name in sorted(content.keys() ^ expected):
        raise ImportRefused(f"{where}: {name}: {'missing' if name in expected else 'unknown field'}")


def _list(content: dict[str, Any], name: str, where: str) -> list[Any]:
    value = content.get(name)
    if not isinstance(value, list) or not value:
        raise ImportRefused(f"{where}: {name}: missing or empty; the file is not complete")
    return value


def _dict(content: dict[str, Any], name: str, where: str) -> dict[str, Any]:
    value = content.get(name)
    if not isinstance(value, dict) or not value:
        raise ImportRefused(f"{where}: {name}: missing or empty; the file is not complete")
    return value


def _task(name: Any, where: str) -> Task:
    try:
        return Task(name)
    except ValueError as error:
        raise ImportRefused(f"{where}: tasks: unknown task {name!r}; known: {', '.join(Task)}") from error


def _date(text: Any, where: str) -> date:
    try:
        day = date.fromisoformat(text if _DATE.fullmatch(text) else "")
    except (TypeError, ValueError) as error:
        raise ImportRefused(f"{where}: last_updated: {text!r} is not a date (YYYY-MM-DD)") from error
    if day < _FIRST_DAY:
        raise ImportRefused(f"{where}: last_updated: {text!r} is before {_FIRST_DAY}")
    if day > datetime.now(UTC).date() + timedelta(days=1):  # it is tomorrow already in zones ahead of UTC
        raise ImportRefused(f"{where}: last_updated: {text!r} is in the future")
    return day


def _check_architectures(architectures: Any, tasks: tuple[Task, ...], where: str) -> None:
    expected: dict[str, list[str]] = {}
    for task in sorted(tasks):
        expected.setdefault(task.architecture, []).append(str(task))
    by_architecture = architectures if isinstance(architectures, dict) else {}
    if {name: sorted(map(str, listed)) for name, listed in by_architecture.items()} != expected:
        raise ImportRefused(f"{where}: architectures: {architectures!r} does not fit the tasks")
