"""What is done with the answers of a load that is over: they are graded, and some of them are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np

from benchmark_tasks.catalog import AnswerKey
from benchmark_tasks.client.events import Events
from benchmark_tasks.client.kept_answers import WholeAnswer, kept_texts
from benchmark_tasks.grading import GRADER, Verdict, verdict_of
from benchmark_tasks.results.schema import Grades
from benchmark_tasks.workloads.requests import NamedRequestSet


class Kept(TypedDict):
    """Rows of `answers.parquet`, and the grades; each `None` where there are none."""

    answer_rows: list[dict[str, object]] | None
    grades: Grades | None


def graded_and_kept(
    requests: NamedRequestSet, events: Events, answers: Sequence[WholeAnswer], *, kept: int, graded: bool
) -> Kept:
    """Grade the answers, and keep the text of those to the first `kept` requests."""
    key = requests.answer_key if graded else None
    verdicts = {} if key is None else _verdicts(requests, key, answers)
    rows = _rows(requests, answers, kept, verdicts) if kept or key else None
    grades = None if key is None else _grades(requests, key, events, answers, verdicts)
    return Kept(answer_rows=rows, grades=grades)


def _verdicts(
    requests: NamedRequestSet, key: AnswerKey, answers: Sequence[WholeAnswer]
) -> dict[int, Verdict]:
    """The verdict on each answer, by the index of its request."""
    rights = {answer.request_index: requests.right_of(answer.request_index) for answer in answers}
    return {
        answer.request_index: verdict_of(key, right, answer.text, answer.finish_reason)
        for answer in answers
        if (right := rights[answer.request_index]) is not None
    }


def _grades(
    requests: NamedRequestSet,
    key: AnswerKey,
    events: Events,
    answers: Sequence[WholeAnswer],
    verdicts: Mapping[int, Verdict],
) -> Grades:
    counts = Counter(verdicts.values())
    asked = (events.request_index < (requests.first_round or 0)) & ~events.under_way
    return Grades(
        grader=GRADER,
        form=key.form,
        choices=key.choices,
        answers=len(verdicts),
        questions=len({requests.question_of(index) for index in verdicts}),
        right=counts[Verdict.RIGHT],
        unreadable=counts[Verdict.UNREADABLE],
        cut=counts[Verdict.CUT],
        unanswered=int(np.sum(asked & ~events.completed)),
        output_tokens=sum(answer.output_tokens for answer in answers if answer.request_index in verdicts),
    )


def _rows(
    requests: NamedRequestSet, answers: Sequence[WholeAnswer], kept: int, verdicts: Mapping[int, Verdict]
) -> list[dict[str, object]]:
    """A text that does not fit is not kept; a verdict always is."""
    texts = dict(kept_texts(answer for answer in answers if answer.request_index < kept))
    return [
        {
            "request_index": answer.request_index,
            "prompt_row": requests.row_of(answer.request_index),
            "text": text,
            "text_cut": None if text is None else len(text) < len(answer.text),
            "finish_reason": answer.finish_reason,
            "output_tokens": answer.output_tokens,
            "right_answer": None
            if text is None or verdict is None
            else requests.right_of(answer.request_index),
            "verdict": verdict,
        }
        for answer in answers
        for text, verdict in [(texts.get(answer.request_index), verdicts.get(answer.request_index))]
        if text is not None or verdict is not None
    ]
