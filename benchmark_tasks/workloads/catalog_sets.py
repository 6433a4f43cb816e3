"""Request sets by name, from the catalog's entries of a task and a model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from benchmark_tasks.catalog import (
    DataSetEntry,
    LengthDistribution,
    Model,
    PromptForm,
    RequestDefaults,
    TaskEntry,
)
from benchmark_tasks.errors import CatalogError, RequestSetError
from benchmark_tasks.results.identity import Load
from benchmark_tasks.settings import Settings
from benchmark_tasks.vocabulary import LengthControl, Task
from benchmark_tasks.workloads.chat import DataSetChat, MediaPrompt, SyntheticChat
from benchmark_tasks.workloads.context import context_of
from benchmark_tasks.workloads.data_sets import rows_of
from benchmark_tasks.workloads.lengths import LENGTHS_RECIPE
from benchmark_tasks.workloads.media import shapes_of
from benchmark_tasks.workloads.media_rows import media_prompt_of, media_prompts_of
from benchmark_tasks.workloads.own_prompts import OwnPrompts, read_own_prompts
from benchmark_tasks.workloads.prompts import prompts_of
from benchmark_tasks.workloads.requests import (
    TEMPERATURE,
    TOP_P,
    DataSetText,
    NamedRequestSet,
    SyntheticText,
    exactly,
)
from benchmark_tasks.workloads.sampling import Sampling
from benchmark_tasks.workloads.set_names import SYNTHETIC

DESIGNED = "designed load"
"""Source of lengths that a plan chose."""

TEMPLATE_TOKENS = 64
"""Tokens that a chat template adds to a short conversation."""


_NO_PART_OF_REQUESTS = {"file", "source", "revision", "first_rows", "answer_key"}
"""Fields of an entry that do not decide what is asked (the content of a file is hashed)."""


class RequestSetChoice(Protocol):
    """The fields of a sweep (`plan.sweep.Sweep`) that decide its request set."""

    @property
    def task(self) -> Task:
        """What the model is measured on."""

    @property
    def request_set(self) -> str:
        """`synthetic`, or the name of a data set."""

    @property
    def length_control(self) -> LengthControl:
        """Whether answers end by themselves or at a prescribed length."""

    @property
    def data_set(self) -> DataSetEntry | None:
        """The data set of that name, where it is not one of the shipped catalog."""

    @property
    def sampling(self) -> Sampling:
        """What a person chose of the requests."""


def request_set_for(
    sweep: RequestSetChoice, model: Model, task: TaskEntry, settings: Settings | None = None
) -> NamedRequestSet:
    """The request set a sweep names: `synthetic`, or one of the task's data sets.

    Prompts take at most a quarter of the model's context and answers at most half, so that every
    request fits. If lengths are cut, the request set has another id.

    Raises:
        CatalogError: the name is unknown, or the model lacks what the set needs.
        RequestSetError, IndexUnreachable: the data set is not available.
    """
    if sweep.request_set == SYNTHETIC and task.requests is not None:
        return _synthetic(sweep, model, task)
    entry = sweep.data_set or task.data_sets.get(sweep.request_set)
    if entry is not None and task.requests is not None:
        return _real(sweep, model, task, entry, settings or Settings.from_environment())
    has = ", ".join([SYNTHETIC, *task.data_sets])
    raise CatalogError(f"task {task.task} has no request set {sweep.request_set!r}; it has: {has}")


def with_fixed_lengths(requests: NamedRequestSet, load: Load, model: Model) -> NamedRequestSet:
    """The requests of a designed load: synthetic text in which every prompt and every answer has one length.

    Raises:
        CatalogError: the set is not synthetic text, or a request does not fit the model's context.
    """
    prompt, answer = load.fixed_prompt_tokens, load.fixed_answer_tokens
    if prompt is None or answer is None or not isinstance(requests, SyntheticText):
        raise CatalogError("a load of one length needs synthetic text")
    context = context_of(model)
    if context is not None and prompt + answer > context:
        raise CatalogError(
            f"{model.model_id}: {prompt} + {answer} tokens do not fit its context of {context} tokens"
        )
    lengths = {"input_tokens": exactly(prompt, DESIGNED), "output_tokens": exactly(answer, DESIGNED)}
    return requests.model_copy(update=lengths)


def data_set_named(name: str, tasks: Mapping[Task, TaskEntry]) -> DataSetEntry:
    """The data set of that name, of any task.

    Raises:
        CatalogError: no task has such a data set.
    """
    known = {key: entry for task in tasks.values() for key, entry in task.data_sets.items()}
    if name not in known:
        raise CatalogError(f"no task has a data set {name!r}; there are: {', '.join(known)}")
    return known[name]


def _synthetic(sweep: RequestSetChoice, model: Model, task: TaskEntry) -> SyntheticText | SyntheticChat:
    context, requests = context_of(model), task.requests
    assert requests is not None
    if requests.media is None and (model.hub_config is None or context is None):
        raise CatalogError(f"{model.model_id} has no hub_config in the catalog: its vocabulary is unknown")
    asked = sweep.sampling
    longest = _least(None if context is None else context // 2, asked.maximum_output_tokens)
    lengths: dict[str, Any] = {
        "input_tokens": _cut(requests.input_tokens, None if context is None else context // 4),
        "output_tokens": _cut(requests.output_tokens, longest),
        "length_control": sweep.length_control,
        **_drawn_by(asked, requests),
    }
    if requests.media is not None:
        return SyntheticChat(
            task=sweep.task, media=requests.media, shapes=shapes_of(requests.media), **lengths
        )
    vocabulary_size = int(model.hub_config["vocab_size"])  # type: ignore[arg-type,index]
    return SyntheticText(task=sweep.task, vocabulary_size=vocabulary_size, **lengths)


def _real(
    sweep: RequestSetChoice, model: Model, task: TaskEntry, entry: DataSetEntry, settings: Settings
) -> DataSetText | DataSetChat:
    name, asked = sweep.request_set, sweep.sampling
    assert task.requests is not None
    context = context_of(model)
    output = _least(entry.maximum_output_tokens, asked.maximum_output_tokens, context and context // 2)
    assert output is not None
    room = None if context is None else context - output - TEMPLATE_TOKENS
    fixed = sweep.length_control is LengthControl.FIXED
    lengths = _cut(task.requests.output_tokens, output) if fixed else None
    drawn = _drawn_by(asked, task.requests)
    common: dict[str, Any] = {"maximum_output_tokens": output, "lengths": lengths, **drawn}
    if entry.file is not None:
        own = read_own_prompts(Path(entry.file), task.input_media, entry.answer_key)
        return _own(own, name, entry, sweep.task, common)
    data = rows_of(name, entry, settings)

    def identity(contents: Sequence[object]) -> str:
        return _identity(name, data.revision, entry, contents, **common)

    if (kind := entry.form.media) is not None:
        items = media_prompts_of(name, entry.form, data, drawn["seed"], entry.kept_prompts, room)
        _require_some(items, name, len(data.rows), model)
        return DataSetChat(identity(_contents(items)), kind, items, **common)
    try:
        asked_about = prompts_of(entry.form, data.rows, model, drawn["seed"], room)
    except RequestSetError as error:
        raise RequestSetError(f"data set {name}: {error}") from error
    prompts, rights = tuple(asked_about)[: entry.kept_prompts], tuple(asked_about.values())
    _require_some(prompts, name, len(data.rows), model)
    chat = entry.form is not PromptForm.FILL_IN_THE_MIDDLE
    graded = _graded(entry, rights[: entry.kept_prompts])
    return DataSetText(identity(prompts), prompts, chat, **common, **graded)


def _own(
    own: OwnPrompts, name: str, entry: DataSetEntry, task: Task, common: dict[str, Any]
) -> DataSetText | DataSetChat:
    """The prompts of a file in an order that the seed decides; whether they fit, `context` says."""

    def identity(contents: Sequence[object]) -> str:
        return _identity(name, own.revision, entry, contents, **common)

    order = np.random.default_rng(common["seed"]).permutation(len(own.prompts))[: entry.kept_prompts]
    chosen = [own.prompts[place] for place in order]
    rows = tuple(prompt.row for prompt in chosen)
    graded = _graded(entry, [prompt.right for prompt in chosen])
    if task.input_media is not None:
        items = tuple(media_prompt_of(own.file, prompt, task.input_media) for prompt in chosen)
        contents = identity(_contents(items))
        return DataSetChat(contents, task.input_media, items, **common, rows=rows, **graded)
    prompts, systems = tuple(prompt.turns for prompt in chosen), tuple(prompt.system for prompt in chosen)
    chat = task is not Task.SOURCEGRAPH_FIM
    for prompt in chosen:
        if not chat and (prompt.system or len(prompt.turns) > 1):
            field = "system" if prompt.system else "messages"
            raise RequestSetError(f"{own.file}: row {prompt.row}: {field}: {task} completes a single text")
    traced = [list(pair) for pair in zip(systems, prompts, strict=True)]
    said = systems if any(systems) else ()
    return DataSetText(identity(traced), prompts, chat, **common, systems=said, rows=rows, **graded)


def _graded(entry: DataSetEntry, rights: Sequence[str | None]) -> dict[str, Any]:
    """How answers are graded, and the right ones; nothing without a key."""
    return {"answer_key": entry.answer_key, "rights": tuple(rights)} if entry.answer_key else {}


def _contents(items: Sequence[MediaPrompt]) -> list[object]:
    return [[item.text, hashlib.sha256(item.url).hexdigest()] for item in items]


def _require_some(prompts: Sequence[object], name: str, rows: int, model: Model) -> None:
    if not prompts:
        raise RequestSetError(f"data set {name}: none of its {rows} rows fits {model.model_id}")


def _identity(
    name: str,
    revision: str,
    entry: DataSetEntry,
    prompts: Sequence[object],
    *,
    maximum_output_tokens: int,
    lengths: LengthDistribution | None,
    seed: int,
    temperature: float,
) -> str:
    """`<name>-<revision>-<hash of every parameter and prompt>`."""
    parameters = {
        "data_set": entry.model_dump(mode="json", exclude=_NO_PART_OF_REQUESTS),
        "revision": revision,
        "maximum_output_tokens": maximum_output_tokens,
        "lengths": None if lengths is None else [LENGTHS_RECIPE, lengths.model_dump(mode="json")],
        "sampling": [temperature, TOP_P],
        "seed": seed,
        "prompts": prompts,
    }
    digest = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()
    return f"{name}-{revision[:12]}-{digest[:8]}"


def _drawn_by(asked: Sampling, requests: RequestDefaults) -> dict[str, Any]:
    """Seed and temperature: those that a person chose, or the usual ones."""
    return {
        "seed": requests.seed if asked.seed is None else asked.seed,
        "temperature": TEMPERATURE if asked.temperature is None else asked.temperature,
    }


def _least(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)


def _cut(lengths: LengthDistribution, limit: int | None) -> LengthDistribution:
    if limit is None:
        return lengths
    return lengths.model_copy(
        update={
            "minimum_tokens": min(lengths.minimum_tokens, max(limit // 2, 1)),
            "median_tokens": min(lengths.median_tokens, max(limit / 2, 1)),
            "maximum_tokens": min(lengths.maximum_tokens, limit),
        }
    )
