"""Prompts from a person's own file: JSON lines, Parquet or CSV, one prompt or conversation per row.

    prompt      a question, or                                                      text
    messages    a conversation: user and assistant in turns, the user last          list of {role, content}
    system      instructions before `prompt`                                        text, may be missing
    image, video or audio   the item of a multimodal task, a path beside the file   text, or Parquet's bytes

The column of an answer key has the row's right answer. Other fields are ignored. Blank lines are skipped.
Rows are counted from 1: of JSON lines as an editor counts lines, of Parquet and CSV without the header.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmark_tasks.catalog import AnswerKey
from benchmark_tasks.errors import RequestSetError
from benchmark_tasks.grading import right_answer
from benchmark_tasks.vocabulary import MediaKind
from benchmark_tasks.workloads.prompts import Prompt

LONGEST_FIELD = 1 << 27
LFS_POINTER = b"version https://git-lfs.github.com/spec/"
"""How a file begins that Git has in place of a large one (https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md)."""
SUFFIXES = (".jsonl", ".ndjson", ".parquet", ".csv")

Item = str | dict[str, Any]


class _Message(BaseModel):
    model_config = ConfigDict(strict=True)
    role: Literal["system", "user", "assistant"]
    content: str = Field(min_length=1)


class _Row(BaseModel):
    model_config = ConfigDict(strict=True)
    prompt: str | None = None
    messages: list[_Message] | None = None
    system: str | None = None
    image: Item | None = None
    images: list[Item] | None = Field(None, min_length=1, max_length=1)
    video: Item | None = None
    audio: Item | None = None

    @property
    def items(self) -> dict[str, Item | None]:
        """What it carries besides text, by field."""
        return {
            "image": self.image if self.images is None else self.images[0],
            "video": self.video,
            "audio": self.audio,
        }


@dataclass(frozen=True)
class OwnPrompt:
    """A row: its number, instructions (empty without any), turns of user and assistant, and its item.

    right: the right answer, where there is a key.
    """

    row: int
    system: str
    turns: Prompt
    item: Item | None
    right: str | None = None

    @property
    def question(self) -> tuple[str, Prompt, str]:
        """What is asked; equal in rows that ask the same."""
        return self.system, self.turns, repr(self.item)


@dataclass(frozen=True)
class OwnPrompts:
    """A whole file, and the SHA-256 of its bytes."""

    file: Path
    revision: str
    prompts: tuple[OwnPrompt, ...]


def read_own_prompts(file: Path, kind: MediaKind | None, key: AnswerKey | None = None) -> OwnPrompts:
    """The prompts of a file.

    Args:
        kind: of the item that each row must have; `None` for text alone.
        key: where each row has its right answer.

    Raises:
        RequestSetError: the file cannot be read, or has no rows; or names the first bad row and its field.
    """
    if file.suffix.lower() not in SUFFIXES:
        raise RequestSetError(f"{file}: not one of {', '.join(SUFFIXES)}: prompts are read from these")
    try:
        content = file.read_bytes()
    except OSError as error:
        raise RequestSetError(f"{file}: {error.strerror or error}; check the path and permissions") from error
    if content.startswith(LFS_POINTER):
        raise RequestSetError(f"{file}: only a pointer of Git LFS, not the prompts: run `git lfs pull` there")
    column = None if key is None else key.column
    prompts = tuple(_checked(file, number, row, kind, key) for number, row in _rows(file, content, column))
    if not prompts:
        raise RequestSetError(f"{file}: no prompts in it")
    if key is not None:
        _require_one_right_answer(file, prompts, key)
    return OwnPrompts(file, hashlib.sha256(content).hexdigest(), prompts)


def _rows(file: Path, content: bytes, answers: str | None) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """answers: the column of the right answers, if they are needed."""
    match file.suffix.lower():
        case ".parquet":
            yield from enumerate(_parquet(file, content, answers), 1)
        case ".csv":
            yield from _csv(file, content, answers)
        case _:
            yield from _json_lines(file, content, answers)


def _json_lines(file: Path, content: bytes, answers: str | None) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(_text(file, content).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise RequestSetError(f"{file}: row {number}: not JSON: {error}") from error
        if not isinstance(row, dict):
            raise RequestSetError(f"{file}: row {number}: not an object with prompt or messages")
        try:
            names = _names(line)
        except ValueError as error:  # a number of thousands of digits
            raise RequestSetError(f"{file}: row {number}: not JSON: {error}") from error
        if twice := _first_twice(names, answers):
            raise RequestSetError(f"{file}: row {number}: {twice} stands twice: keep one of them")
        yield number, row


def _names(line: str) -> list[str]:
    """The names of an object's fields; a parser keeps the last of two equal ones without a word."""
    fields: list[str] = []

    def note(pairs: list[tuple[str, Any]]) -> None:
        fields[:] = [name for name, _ in pairs]  # the outermost object comes last

    json.loads(line, object_pairs_hook=note)
    return fields


def _first_twice(names: Sequence[str], answers: str | None) -> str | None:
    """The first name that stands twice, of those that are read."""
    read = [name for name in names if name in _Row.model_fields or name == answers]
    return next((name for number, name in enumerate(read) if name in read[:number]), None)


def _parquet(file: Path, content: bytes, answers: str | None) -> list[dict[str, Any]]:
    try:
        with pq.ParquetFile(io.BytesIO(content)) as opened:
            names = opened.schema_arrow.names
            _require_columns(file, names, answers)
            columns = [name for name in names if name in _Row.model_fields or name == answers]
            return list(opened.read(columns=columns).to_pylist())
    except (pa.ArrowException, OSError, ValueError) as error:
        raise RequestSetError(f"{file}: not a whole Parquet file: {str(error).splitlines()[0]}") from error


def _csv(file: Path, content: bytes, answers: str | None) -> Iterator[tuple[int, Mapping[str, Any]]]:
    csv.field_size_limit(LONGEST_FIELD)
    number = 0
    try:
        reader = csv.DictReader(io.StringIO(_text(file, content), newline=""), strict=True)
        _require_columns(file, reader.fieldnames or (), answers)
        for row in reader:  # blank lines are skipped by the reader
            number += 1
            if None in row:
                raise RequestSetError(f"{file}: row {number}: more fields than the header has: quote commas")
            yield number, {name: value or None for name, value in row.items()}
    except csv.Error as error:
        raise RequestSetError(f"{file}: row {number + 1}: not CSV: {error}") from error


def _text(file: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise RequestSetError(f"{file}: line {line}: not UTF-8: save the file as UTF-8") from error


def _require_columns(file: Path, columns: Sequence[str], answers: str | None) -> None:
    if twice := _first_twice(columns, answers):
        raise RequestSetError(f"{file}: two columns are called {twice}: keep one of them")
    if not {"prompt", "messages"} & set(columns):
        raise RequestSetError(f"{file}: no column prompt or messages")
    if answers is not None and answers not in columns:
        raise RequestSetError(f"{file}: no column {answers}, where the right answers should be")


def _require_one_right_answer(file: Path, prompts: Sequence[OwnPrompt], key: AnswerKey) -> None:
    """Two rows that ask the same must not have different right answers."""
    known: dict[object, OwnPrompt] = {}
    for prompt in prompts:
        first = known.setdefault(prompt.question, prompt)
        if first.right != prompt.right:
            raise RequestSetError(
                f"{file}: row {prompt.row}: {key.column}: {prompt.right!r}, but row {first.row} asks the same"
                f" and has {first.right!r}"
            )


def _checked(
    file: Path, number: int, row: Mapping[str, Any], kind: MediaKind | None, key: AnswerKey | None
) -> OwnPrompt:
    try:
        read = _Row.model_validate({name: row[name] for name in _Row.model_fields if name in row})
        turns, system = _turns(read)
        right = None if key is None else _right(row, key)
        return OwnPrompt(number, system, turns, _item(read, kind), right)
    except ValidationError as error:
        first = error.errors()[0]
        field = _field(first["loc"])
        raise RequestSetError(f"{file}: row {number}: {field}: {first['msg'].lower()}") from error
    except _BadField as error:
        raise RequestSetError(f"{file}: row {number}: {error}") from error


class _BadField(Exception):
    """`field: what is wrong with it`."""


def _right(row: Mapping[str, Any], key: AnswerKey) -> str:
    try:
        return right_answer(key, row.get(key.column))
    except ValueError as error:
        raise _BadField(f"{key.column}: {error}") from error


def _field(location: tuple[int | str, ...]) -> str:
    """`messages[1].content` of pydantic's location; which type of a union was tried is left out."""
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part in _Row.model_fields or part in _Message.model_fields:
            text += f".{part}" if text else part
    return text


def _turns(row: _Row) -> tuple[Prompt, str]:
    """The turns of user and assistant, and the instructions before them."""
    if (row.prompt is None) == (row.messages is None):
        raise _BadField("prompt: missing" if row.prompt is None else "messages: not beside prompt")
    if row.prompt is not None:
        if not row.prompt.strip():
            raise _BadField("prompt: empty")
        return (row.prompt,), row.system or ""
    if row.system is not None:
        raise _BadField("system: not beside messages: make it the first message")
    messages = list(row.messages or ())
    system = messages.pop(0).content if messages and messages[0].role == "system" else ""
    shift = len(row.messages or ()) - len(messages)
    if not messages:
        raise _BadField("messages: empty")
    for place, message in enumerate(messages):
        wanted = ("user", "assistant")[place % 2]
        if message.role != wanted:
            raise _BadField(f"messages[{place + shift}].role: {message.role} where {wanted} must be")
        if not message.content.strip():
            raise _BadField(f"messages[{place + shift}].content: empty")
    if len(messages) % 2 == 0:
        raise _BadField("messages: the last one must be of the user: the model is to answer it")
    return tuple(message.content for message in messages), system


def _item(row: _Row, kind: MediaKind | None) -> Item | None:
    for field, item in row.items.items():
        if item is not None and field != kind:
            asked = f"the task asks about {kind}" if kind else "the task has text only"
            raise _BadField(f"{field}: {asked}")
    if kind is None:
        return None
    item = row.items[kind]
    if not item:
        raise _BadField(f"{kind}: missing")
    if row.system or (row.messages is not None and len(row.messages) > 1):
        field = "system" if row.system else "messages"
        raise _BadField(f"{field}: with {kind} only a single prompt is supported")
    return item
