"""Graded answers: enough of them for an accuracy, of nearly all questions, and no worse than guessing."""

from __future__ import annotations

import pandas as pd

from expectations.suites.checks import Tolerance
from expectations.suites.landed_runs import LandedRuns
from expectations.suites.mart.accuracy import FEWEST_QUESTIONS
from expectations.suites.run_check import number, ratio, warning

MOST_UNANSWERED = 0.02


def _graded(runs: LandedRuns) -> pd.Series:
    return runs["completed"] & runs["grader"].notna()


def _unanswered_share(runs: LandedRuns) -> pd.Series:
    unanswered = number(runs["unanswered_questions"])
    return ratio(unanswered, unanswered + number(runs["graded_answers"])).where(_graded(runs))


def _above_chance(runs: LandedRuns) -> pd.Series:
    """Accuracy less that of guessing."""
    accuracy = ratio(number(runs["right_answers"]), number(runs["graded_answers"]))
    above: pd.Series = accuracy - (1 / number(runs["answer_choices"])).fillna(0)
    return above.where(_graded(runs))


CHECKS = (
    warning(
        "enough_questions_graded",
        "too few different questions were graded: no accuracy is published",
        lambda runs: number(runs["graded_questions"]).where(_graded(runs)),
        within=Tolerance(FEWEST_QUESTIONS, None, "questions", "an interval of 20 points"),
    ),
    warning(
        "questions_were_answered",
        "questions have no answer, and those that take longest are missing first: no accuracy is published",
        _unanswered_share,
        within=Tolerance(None, MOST_UNANSWERED, "of the questions", "moves an accuracy by at most 2 points"),
    ),
    warning(
        "accuracy_above_chance",
        "fewer answers are right than by guessing: look at the right answers and at how answers are read; no"
        " accuracy is published",
        _above_chance,
        within=Tolerance(0, None, "above chance", "guessing needs no energy"),
    ),
)
