"""The mart of graded answers, built from sample runs whose figures can be worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from expectations.board.reading.figures import FIGURES, theme
from expectations.board.reading.page import read
from tests.dbt_project.conftest import Warehouse
from tests.dbt_project.test_reading import DRAWN, LAYOUTS, TASKS, _numbers


@pytest.fixture(scope="module")
def marts(designed_warehouse: Warehouse) -> Iterator[duckdb.DuckDBPyConnection]:
    with designed_warehouse.connect() as connection:
        yield connection


def rows(marts: duckdb.DuckDBPyConnection, where: str) -> list[dict[str, Any]]:
    result = marts.execute(f"from marts.joules_per_correct_answer where {where}")
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def test_a_right_answer_costs_what_the_answers_cost_that_it_took(marts: duckdb.DuckDBPyConnection) -> None:
    (row,) = rows(marts, "request_set_id like 'prompts.q-%' and batch_size = 32")
    assert (row["graded_runs"], row["questions"], row["answers"], row["right_answers"]) == (2, 200, 400, 200)
    assert (row["unreadable_answers"], row["cut_answers"]) == (6, 4)
    assert (row["accuracy"], row["chance"], row["is_above_chance"]) == (0.5, 0.25, True)
    assert row["accuracy_low"] == pytest.approx(0.4313, abs=1e-4), (
        "Wilson, 100 of 200: repeats add no question"
    )
    assert row["energy_per_answer_joules"] == pytest.approx(5.0)
    assert row["energy_per_correct_answer_joules"] == pytest.approx(10.0)
    assert row["energy_per_correct_answer_low_joules"] < 10 < row["energy_per_correct_answer_high_joules"]
    assert row["attempts"] == 2 and row["best_of_accuracy"] == 0.75
    assert row["best_of_energy_per_correct_answer_joules"] == pytest.approx(2 * 5 / 0.75)
    until_right = (100 * 1 + 50 * 2 + 50 * 2) / 150 * 5
    assert row["until_right_energy_per_correct_answer_joules"] == pytest.approx(until_right)


def test_right_answers_by_chance_have_no_price(marts: duckdb.DuckDBPyConnection) -> None:
    (row,) = rows(marts, "batch_size = 64")
    assert row["accuracy"] == 0.26 and not row["is_above_chance"]
    assert row["energy_per_answer_joules"] == pytest.approx(5.0)
    assert row["energy_per_correct_answer_joules"] is None
    assert row["attempts"] is None and row["best_of_accuracy"] is None


def test_few_questions_and_accuracies_below_chance_are_not_published(
    marts: duckdb.DuckDBPyConnection,
) -> None:
    assert rows(marts, "split_part(request_set_id, '-', 1) in ('prompts.few', 'prompts.below')") == []


def test_without_a_counter_there_is_an_accuracy_and_no_energy(marts: duckdb.DuckDBPyConnection) -> None:
    (row,) = rows(marts, "gpu_model = 'none'")
    assert row["accuracy"] == 0.5 and row["energy_source"] == "none"
    assert {name for name, value in row.items() if name.endswith("joules") and value is not None} == set()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_figure_draws_what_its_query_gives(layout: str, marts: duckdb.DuckDBPyConnection) -> None:
    figure = FIGURES["right_answers"]
    rows = figure.rows(marts, "jouleboard")
    assert list(rows["accuracy"]) == [0.5], "neither chance nor what has no energy"
    drawn = set(_numbers(figure.chart(rows, TASKS, LAYOUTS[layout]).to_dict()["datasets"]))
    for column in DRAWN["right_answers"]:
        assert set(rows[column]) <= drawn, column
    signals = figure.specification(rows, TASKS, theme.WIDE)["signals"]
    assert "q, Text Conversation" in [signal.get("value") for signal in signals]


@pytest.mark.parametrize(("highest", "end"), [(0.07, 0.1), (0.1, 0.1), (0.43, 0.5), (0.97, 1.0)])
def test_the_axis_of_accuracy_ends_not_far_beyond_the_intervals(
    highest: float, end: float, marts: duckdb.DuckDBPyConnection
) -> None:
    figure = FIGURES["right_answers"]
    rows = figure.rows(marts, "jouleboard").assign(accuracy=0.02, accuracy_low=0.01, accuracy_high=highest)
    layers = figure.chart(rows, TASKS, LAYOUTS["wide"]).to_dict()["layer"]
    assert {tuple(layer["encoding"]["x"]["scale"]["domain"]) for layer in layers} == {(0, end)}


def test_the_reading_says_it_in_words(marts: duckdb.DuckDBPyConnection) -> None:
    chapters = {chapter.heading: chapter for chapter in read(marts, "jouleboard", TASKS)}
    said = [line for sentence in chapters["Right answers"].sentences for line in sentence.lines]
    assert said[0].startswith(
        "q (200 questions): Qwen 3 8B (dummy weights) answers 50 % right (43 % to 57 %)."
    )
    assert "at batch size 32 an answer takes 5.00 J and a right one 10.0 J" in said[0]
    assert "answers 26 % right (20 % to 32 %), which does not differ from chance (25 %)." in said[1]
    assert "Of 600 graded answers to q, 9 could not be read and 6 were cut." in said
