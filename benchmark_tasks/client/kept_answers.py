"""Answers whose text is kept: those of the first requests of a load, within limits of size."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchmark_tasks.client.connection import Trace

LONGEST_TEXT = 100_000
"""Characters that are kept of one answer."""

MOST_CHARACTERS = 8_000_000
"""Characters that are kept of all answers of a load."""


@dataclass(frozen=True)
class KeptAnswer:
    """A complete answer.

    request_index: the request's. text_cut: only the beginning is kept.
    """

    request_index: int
    text: str
    text_cut: bool
    finish_reason: str | None
    output_tokens: int


def kept(traces: Iterable[Trace]) -> tuple[KeptAnswer, ...]:
    """The complete answers that were to be kept, in the order of their requests, as far as they fit."""
    answers: list[KeptAnswer] = []
    left = MOST_CHARACTERS
    complete = (trace for trace in traces if trace.text is not None and trace.error is None)
    for trace in sorted(complete, key=lambda trace: trace.index):
        whole = trace.text or ""
        text = whole[:LONGEST_TEXT]
        left -= len(text)
        if left < 0:
            break
        cut = len(text) < len(whole)
        answers.append(KeptAnswer(trace.index, text, cut, trace.finish_reason, trace.output_tokens))
    return tuple(answers)
