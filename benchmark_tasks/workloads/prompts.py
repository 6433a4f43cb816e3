"""Prompts from rows of the real data sets. Pure functions; a prompt is a list of turns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, assert_never

import numpy as np

from benchmark_tasks.catalog import Model, PromptForm
from benchmark_tasks.errors import CatalogError, RequestSetError

Prompt = tuple[str, ...]
"""User, assistant, user, …: one element for a single question, or for text to be completed."""

_QWEN_MARKS = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
_FILL_IN_MARKS = {
    "Qwen/Qwen2.5-Coder": _QWEN_MARKS,
    "Qwen/Qwen3-Coder": _QWEN_MARKS,
    "google/codegemma": _QWEN_MARKS,
    "deepseek-ai/DeepSeek-Coder-V2": ("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),
}
"""Marks for prefix, suffix and gap that a model was trained with, by the start of its id (model cards)."""


_ANSWERS = ("Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")


def prompts_of(
    form: PromptForm, rows: Sequence[Mapping[str, Any]], model: Model, seed: int, maximum_bytes: int | None
) -> dict[Prompt, str | None]:
    """Every distinct prompt of a data set that fits, in an order that the seed decides.

    With each comes the letter of the right choice; `None` for a prompt that is no choice.

    A token stands for at least one byte of UTF-8, so a prompt of `maximum_bytes` bytes has at most
    as many tokens, whatever the tokenizer.

    Raises:
        RequestSetError: a row has not the form; names row (from 1) and field.
        CatalogError: the model lacks what the form needs.
    """
    distinct: dict[Prompt, str | None] = {}
    for i, row in enumerate(rows):
        try:
            distinct |= dict(_of_row(form, row, i, model, seed))
        except _BadField as error:
            raise RequestSetError(f"row {i + 1}: {error}") from error
    fitting = [prompt for prompt in distinct if maximum_bytes is None or _bytes(prompt) <= maximum_bytes]
    order = np.random.default_rng(seed).permutation(len(fitting))
    return {fitting[i]: distinct[fitting[i]] for i in order}


def _of_row(
    form: PromptForm, row: Mapping[str, Any], index: int, model: Model, seed: int
) -> Iterator[tuple[Prompt, str | None]]:
    match form:
        case PromptForm.CONVERSATION:
            yield from ((prompt, None) for prompt in conversation(row))
        case PromptForm.MULTIPLE_CHOICE:
            yield multiple_choice(row, np.random.default_rng((seed, index)))
        case PromptForm.FILL_IN_THE_MIDDLE:
            yield fill_in_the_middle(row, model), None
        case PromptForm.IMAGE_CONVERSATION | PromptForm.VIDEO_QUESTION | PromptForm.AUDIO_QUESTION:
            raise CatalogError(f"{form}: rows with items are read by workloads.media_rows")
        case PromptForm.PROMPTS:
            raise CatalogError(f"{form}: files of one's own are read by workloads.own_prompts")
        case _:
            assert_never(form)


def conversation(row: Mapping[str, Any]) -> Iterator[Prompt]:
    """One prompt per turn of the user: the conversation so far, as in ML.ENERGY's benchmark."""
    messages = row["conversation_a"]
    if not isinstance(messages, Sequence) or isinstance(messages, str):
        raise _BadField("conversation_a: not a list of messages")
    turns = tuple(_content(message, place) for place, message in enumerate(messages))
    for end in range(1, len(turns) + 1, 2):
        if turns[end - 1].strip():
            yield turns[:end]


def multiple_choice(row: Mapping[str, Any], rng: np.random.Generator) -> tuple[Prompt, str]:
    """A question with its four answers in a random order, and the letter of the right one."""
    answers = [_text(row, name) for name in _ANSWERS]
    order = [int(place) for place in rng.permutation(4)]
    lines = [f"({letter}) {answers[place]}" for letter, place in zip("ABCD", order, strict=True)]
    question = f"What is the correct answer to the following question: {_text(row, 'Question')}"
    return ("\n".join([question, "", "Choices:", *lines]),), "ABCD"[order.index(0)]


def fill_in_the_middle(row: Mapping[str, Any], model: Model) -> Prompt:
    """Text before and after a gap, with the marks that the model was trained with.

    Raises:
        CatalogError: the marks of this model are not known.
    """
    for beginning, (prefix, suffix, gap) in _FILL_IN_MARKS.items():
        if model.model_id.lower().startswith(beginning.lower()):
            before, after = (_text(row, name, strip=False) for name in ("prefix", "suffix"))
            return (f"{prefix}{before}{suffix}{after}{gap}",)
    raise CatalogError(
        f"no marks for filling in code are known for {model.model_id}; known: {', '.join(_FILL_IN_MARKS)}"
    )


class _BadField(Exception):
    """`field: what is wrong with it`."""


def _content(message: object, place: int) -> str:
    if not isinstance(message, Mapping) or message.get("content") is None:
        raise _BadField(f"conversation_a[{place}].content: missing")
    return str(message["content"])


def _text(row: Mapping[str, Any], field: str, *, strip: bool = True) -> str:
    value = row.get(field)
    if not isinstance(value, str | int | float):
        raise _BadField(f"{field}: {'missing' if value is None else 'not a text'}")
    return str(value).strip() if strip else str(value)


def _bytes(prompt: Prompt) -> int:
    return sum(len(part.encode()) for part in prompt)
