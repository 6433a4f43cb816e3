"""From the text of an answer and the right one to a verdict."""

from __future__ import annotations

from enum import StrEnum
from string import ascii_uppercase
from typing import assert_never

from benchmark_tasks.catalog import AnswerKey
from benchmark_tasks.grading.choices import read_choice
from benchmark_tasks.grading.exact import read_text
from benchmark_tasks.grading.numbers import Number, read_number
from benchmark_tasks.vocabulary import AnswerForm

GRADER = 1
"""Version of how answers are read. Accuracies of different versions are never averaged or compared."""

CUT = "length"
"""`finish_reason` of an answer that ended at the longest length, whatever it said until then."""


class Verdict(StrEnum):
    """Of an answer. Only a right one counts as right."""

    RIGHT = "right"
    WRONG = "wrong"
    UNREADABLE = "unreadable"
    CUT = "cut"


def verdict_of(key: AnswerKey, right: str, text: str, finish_reason: str | None) -> Verdict:
    """Whether an answer is right.

    Args:
        right: as `right_answer` gives it.
    """
    if finish_reason == CUT:
        return Verdict.CUT
    given, wanted = _read(key, text), _read(key, right)
    if given is None:
        return Verdict.UNREADABLE
    if isinstance(given, Number) and isinstance(wanted, Number):
        return Verdict.RIGHT if given.is_same(wanted) else Verdict.WRONG
    return Verdict.RIGHT if given == wanted else Verdict.WRONG


def right_answer(key: AnswerKey, value: object) -> str:
    """The right answer of a row, as text that reads as what it is.

    Raises:
        ValueError: it is missing, or does not read as an answer of this form; says why.
    """
    if value is None or isinstance(value, bool | list | dict) or not str(value).strip():
        raise ValueError("missing" if value is None or value == "" else f"not a right answer: {value!r}")
    right = str(value).strip()
    if _read(key, right) is None:
        raise ValueError(f"{right[:40]!r} is not {_wanted(key)}")
    return right


def _read(key: AnswerKey, text: str) -> str | Number | None:
    match key.form:
        case AnswerForm.CHOICE:
            return read_choice(text, key.choices or 0)
        case AnswerForm.NUMBER:
            return read_number(text)
        case AnswerForm.EXACT:
            return read_text(text)
        case _:
            assert_never(key.form)


def _wanted(key: AnswerKey) -> str:
    match key.form:
        case AnswerForm.CHOICE:
            return f"a letter from A to {ascii_uppercase[(key.choices or 1) - 1]}"
        case AnswerForm.NUMBER:
            return "a number"
        case AnswerForm.EXACT:
            return "a text"
        case _:
            assert_never(key.form)
