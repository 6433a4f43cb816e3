"""Prompts from rows of the real data sets. Pure functions; a prompt is a list of turns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, assert_never

import numpy as np

from benchmark_tasks.catalog import Model, PromptForm
from benchmark_tasks.errors import CatalogError

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


def prompts_of(
    form: PromptForm, rows: Sequence[Mapping[str, Any]], model: Model, seed: int, maximum_bytes: int | None
) -> tuple[Prompt, ...]:
    """Every distinct prompt of a data set that fits, in an order that the seed decides.

    A token stands for at least one byte of UTF-8, so a prompt of `maximum_bytes` bytes has at most
    as many tokens, whatever the tokenizer.
    """
    distinct = dict.fromkeys(
        prompt for i, row in enumerate(rows) for prompt in _of_row(form, row, i, model, seed)
    )
    fitting = [prompt for prompt in distinct if maximum_bytes is None or _bytes(prompt) <= maximum_bytes]
    order = np.random.default_rng(seed).permutation(len(fitting))
    return tuple(fitting[i] for i in order)


def _of_row(
    form: PromptForm, row: Mapping[str, Any], index: int, model: Model, seed: int
) -> Iterator[Prompt]:
    match form:
        case PromptForm.CONVERSATION:
            yield from conversation(row)
        case PromptForm.MULTIPLE_CHOICE:
            yield multiple_choice(row, np.random.default_rng((seed, index)))
        case PromptForm.FILL_IN_THE_MIDDLE:
            yield fill_in_the_middle(row, model)
        case PromptForm.IMAGE_CONVERSATION | PromptForm.VIDEO_QUESTION | PromptForm.AUDIO_QUESTION:
            raise CatalogError(f"{form}: rows with items are read by workloads.media_rows")
        case _:
            assert_never(form)


def conversation(row: Mapping[str, Any]) -> Iterator[Prompt]:
    """One prompt per turn of the user: the conversation so far, as in ML.ENERGY's benchmark."""
    turns = tuple(str(message["content"]) for message in row["conversation_a"])
    for end in range(1, len(turns) + 1, 2):
        if turns[end - 1].strip():
            yield turns[:end]


def multiple_choice(row: Mapping[str, Any], rng: np.random.Generator) -> Prompt:
    """A question with its four answers in a random order."""
    answers = [str(row["Correct Answer"]).strip()]
    answers += [str(row[f"Incorrect Answer {i}"]).strip() for i in (1, 2, 3)]
    lines = [f"({letter}) {answers[i]}" for letter, i in zip("ABCD", rng.permutation(4), strict=True)]
    question = str(row["Question"]).strip()
    return (
        "\n".join(
            [f"What is the correct answer to the following question: {question}", "", "Choices:", *lines]
        ),
    )


def fill_in_the_middle(row: Mapping[str, Any], model: Model) -> Prompt:
    """Text before and after a gap, with the marks that the model was trained with.

    Raises:
        CatalogError: the marks of this model are not known.
    """
    for beginning, (prefix, suffix, gap) in _FILL_IN_MARKS.items():
        if model.model_id.lower().startswith(beginning.lower()):
            return (f"{prefix}{row['prefix']}{suffix}{row['suffix']}{gap}",)
    raise CatalogError(
        f"no marks for filling in code are known for {model.model_id}; known: {', '.join(_FILL_IN_MARKS)}"
    )


def _bytes(prompt: Prompt) -> int:
    return sum(len(part.encode()) for part in prompt)
