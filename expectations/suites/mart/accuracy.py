"""Checks of `joules_per_correct_answer`: accuracies say enough; prices of right answers follow from them."""

from __future__ import annotations

from expectations.suites.checks import Severity, Tolerance
from expectations.suites.mart_check import MartCheck, critical

TABLE = "candidate.marts.joules_per_correct_answer"
ROW_NAME_SQL = (
    "concat_ws(' | ', model_id, task, concat(num_gpus, 'x ', gpu_model), concat('batch ', batch_size),"
    " runtime_version, left(leaderboard_id, 8))"
)
FEWEST_QUESTIONS = 100
"""From fewer questions the 95 % interval of an accuracy is up to 20 points wide and says little."""

CHECKS = (
    MartCheck("key_is_unique", Severity.CRITICAL, "a row appears twice", unique=("leaderboard_id",)),
    critical(
        "accuracy_rests_on_enough_answers",
        "an accuracy comes from too few different questions",
        "coalesce(least(questions, answers), 0)",
        within=Tolerance(FEWEST_QUESTIONS, None, "questions", "an interval of 20 points"),
    ),
    critical(
        "accuracy_not_below_chance",
        "an accuracy is below chance: the right answers, or how answers are read, are in doubt",
        "accuracy is null or chance is null or accuracy < chance",
    ),
    critical(
        "accuracy_is_a_share",
        "an accuracy is not the right share of the answers, or outside its interval",
        "abs(accuracy - right_answers / answers) > 1e-9 or accuracy_low > accuracy"
        " or accuracy_low < 0 or accuracy_high > 1",
    ),
    critical(
        "counts_of_answers_fit",
        "right, unreadable and cut answers are more than the answers, or questions are",
        "right_answers + unreadable_answers + cut_answers > answers or questions > answers"
        " or least(right_answers, unreadable_answers, cut_answers, unanswered_questions) < 0",
    ),
    critical(
        "no_energy_without_counter",
        "an answer has energy but no energy counter: an estimate",
        "energy_source = 'none' and energy_per_answer_joules is not null",
    ),
    critical(
        "no_price_at_chance",
        "right answers have a price although the accuracy does not differ from chance",
        "energy_per_correct_answer_joules is not null and accuracy_low <= chance",
    ),
    critical(
        "price_is_energy_over_accuracy",
        "energy per right answer is not energy per answer over accuracy",
        "energy_per_correct_answer_joules * accuracy / nullif(energy_per_answer_joules, 0) - 1",
        within=Tolerance(-1e-6, 1e-6, "relative", "definition"),
    ),
    critical(
        "price_interval_holds_price",
        "energy per answer, or per right answer, is outside its own interval",
        "energy_per_correct_answer_low_joules > energy_per_correct_answer_joules"
        " or energy_per_correct_answer_high_joules < energy_per_correct_answer_joules"
        " or energy_per_answer_low_joules > energy_per_answer_joules"
        " or energy_per_answer_high_joules < energy_per_answer_joules",
    ),
    critical(
        "retries_solve_no_less",
        "several attempts solve fewer questions than one does on average, or retries cost too little",
        "best_of_accuracy > 1 or attempts < 2"
        " or until_right_energy_per_correct_answer_joules < energy_per_answer_joules * (1 - 1e-9)"
        " or until_right_energy_per_correct_answer_joules"
        " > best_of_energy_per_correct_answer_joules * (1 + 1e-9)",
    ),
)
