"""The text of answers that are graded or kept, and what a bundle keeps of it, within limits of size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from benchmark_tasks.client.connection import Trace

LONGEST_TEXT = 100_000
"""Characters that are kept of one answer."""

MOST_CHARACTERS = 8_000_000
"""Characters that are kept of all answers of a load."""


@dataclass(frozen=True)
class WholeAnswer:
    """A complete answer.

    request_index: the request's.
    """

    request_index: int
    text: str
    finish_reason: str | None
    output_tokens: int


def whole_answers(traces: Iterable[Trace]) -> tuple[WholeAnswer, ...]:
    """The complete answers whose text was asked for, in the order of their requests."""
    return tuple(
        WholeAnswer(trace.index, trace.text, trace.finish_reason, trace.output_tokens)
        for trace in sorted(traces, key=lambda trace: trace.index)
        if trace.text is not None and trace.error is None
    )


def kept_texts(answers: Iterable[WholeAnswer]) -> Iterator[tuple[int, str]]:
    """Index and text of each answer, cut to the longest text, as far as all of them fit."""
    left = MOST_CHARACTERS
    for answer in answers:
        text = answer.text[:LONGEST_TEXT]
        left -= len(text)
        if left < 0:
            break
        yield answer.request_index, text
