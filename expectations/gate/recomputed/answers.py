"""Counts of graded answers, by the verdicts in the bundle; kept texts are graded again."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from benchmark_tasks.catalog import AnswerKey
from benchmark_tasks.grading import GRADER, Verdict, verdict_of
from benchmark_tasks.results.schema import Grades, Run
from expectations.gate.recomputed.contradiction import Contradiction, Pair, compared


def of_answers(run: Run, answers: pa.Table | None) -> list[Contradiction]:
    """What the record says of its grades, and what `answers.parquet` gives."""
    if run.grades is None:
        return []
    known = answers is not None and "verdict" in answers.column_names
    rows = [row for row in answers.to_pylist() if row["verdict"] is not None] if known else []  # type: ignore[union-attr]
    return compared([*_counts(run.grades, rows), *_again(run.grades, rows)])


def _counts(grades: Grades, rows: list[dict[str, object]]) -> Iterator[Pair]:
    verdicts = [row["verdict"] for row in rows]
    yield "graded answers", grades.answers, len(rows)
    yield "right answers", grades.right, verdicts.count(Verdict.RIGHT)
    yield "unreadable answers", grades.unreadable, verdicts.count(Verdict.UNREADABLE)
    yield "cut answers", grades.cut, verdicts.count(Verdict.CUT)
    yield (
        "tokens of graded answers",
        grades.output_tokens,
        sum(int(str(row["output_tokens"])) for row in rows),
    )


def _again(grades: Grades, rows: list[dict[str, object]]) -> Iterator[Pair]:
    """Of the answers whose whole text is kept, how many get the same verdict, if the grader is the same."""
    key = AnswerKey(column="right_answer", form=grades.form, choices=grades.choices)
    whole = [row for row in rows if row["text"] is not None and row["right_answer"] and not row["text_cut"]]
    if grades.grader != GRADER or not whole:
        return
    same = sum(
        row["verdict"] == verdict_of(key, str(row["right_answer"]), str(row["text"]), _reason(row))
        for row in whole
    )
    yield "verdicts on kept answers", len(whole), same


def _reason(row: dict[str, object]) -> str | None:
    return None if row["finish_reason"] is None else str(row["finish_reason"])
