"""A NULL takes its part of a sentence or figure away; where none is left, the row has no line and no mark."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import duckdb
import pytest
from altair.utils.schemapi import debug_mode
from jinja2 import Environment, UndefinedError

from expectations.board.reading.figures import FIGURES, Rows
from expectations.board.reading.figures.figure import NEEDED, drawable
from expectations.board.reading.page import Chapter, Sentence, chapters, said, sentence_query
from expectations.board.reading.unknown import sentence_environment
from expectations.board.reading.words import filters
from expectations.sql import Row, rows_of_query
from tests.dbt_project.test_reading import TASKS

ENTRIES = {entry["query"]: entry for chapter in chapters() for entry in chapter["sentences"]}
SOURCES = ("mlenergy-v3", "jouleboard")
ROWS = 3
"""Of each source; besides them one is made up, for queries without any."""

TORN = re.compile(r"None|NotKnown|\bnan\b|\(\s*\)|\(\s*,|\s[,.;:)]|[,;:]\s*[,.;:)]|\.\.|\band[,.]|^[^\w(]")
"""What stays behind where a part was taken out without its punctuation."""

SAID_WITHOUT = {
    "tasks": {"hard_tokens", "chat_tokens", "tokens_ratio", "hard_joules", "chat_joules", "joules_ratio"},
    "case_study": {
        "hard_tokens",
        "chat_tokens",
        "hard_joules",
        "chat_joules",
        "hard_joules_per_token",
        "chat_joules_per_token",
        "same_batch",
        "hard_joules_per_token_same_batch",
        "chat_joules_per_token_same_batch",
    },
    "modality": {"image_low", "image_high", "video_low", "video_high"},
    "modality_sizes": {
        "video_batch_size",
        "text_usage",
        "image_usage",
        "video_usage",
        "image_preprocessing_ms",
        "video_preprocessing_ms",
    },
    "media_range": {"video_low"},
    "media_why": {"smaller_frames", "larger_frames"},
    "batch_size": {"highest_power"},
    "batch_size_series": {
        "throughput_ratio",
        "itl_at_smallest",
        "itl_at_largest",
        "power_at_smallest",
        "power_at_largest",
    },
    "experts": {"experts_activated"},
    "dense_models": {"always_rises"},
    "largest_experts": {"experts_activated"},
    "generations": {"median_reduction", "lowest", "highest"},
    "precision_by_model": {"runtime_release"},
    "precision_environments": {"fp8_runtime_version", "bf16_runtime_version"},
    "speculation": {
        "tensor_parallel",
        "runtime_release",
        "speculative_method",
        "draft_hash",
        "even_low",
        "even_high",
    },
    "speculation_decided": {
        "tensor_parallel",
        "runtime_release",
        "speculative_method",
        "draft_hash",
        "tokens_per_step",
        "even",
        "latency_change",
    },
    "more_gpus": {"faster_share", "dearer_share"},
    "right_answers": {
        "weights",
        "accuracy_low",
        "accuracy_high",
        "energy_per_answer_joules",
        "joules_low",
        "joules_high",
    },
    "right_answers_by_chance": {"accuracy_low", "accuracy_high", "chance"},
    "right_answers_lost": {"unreadable", "cut"},
    "weights": {"reference", "lowest", "highest"},
}
"""By sentence the columns that may be NULL where the rest is still known."""


@pytest.fixture(scope="module")
def environment() -> Environment:
    return sentence_environment(filters(TASKS))


@pytest.mark.parametrize("name", ENTRIES)
def test_a_sentence_can_be_said_without_any_of_its_values(
    name: str, marts: duckdb.DuckDBPyConnection, environment: Environment
) -> None:
    for row in rows_of_sentence(name, marts):
        whole, not_known = said(ENTRIES[name], [row], environment)
        assert whole, row
        assert not not_known
        for column, without in each_without_one(row):
            lines, not_known = said(ENTRIES[name], [without], environment)
            assert not (lines and not_known)
            assert [line for line in lines if TORN.search(line)] == [], column
            if column in SAID_WITHOUT.get(name, ()):
                assert lines, column


@pytest.mark.parametrize("name", SAID_WITHOUT)
def test_what_may_be_null_is_a_column(name: str, marts: duckdb.DuckDBPyConnection) -> None:
    assert set(marts.sql(sentence_query(name, SOURCES[0])).columns) >= SAID_WITHOUT[name]


def test_series_without_power_are_not_counted_as_if_it_did_not_rise(environment: Environment) -> None:
    row = {
        **dict.fromkeys(("median_ratio", "low", "high"), 2.0),
        **{"high_model": "M", "high_task": "gpqa", "high_smallest": 16, "high_largest": 64},
        **{"series": 3, "latency_series": 3, "throughput_series": 0, "power_series": 2},
        **{"latency_rises": 3, "throughput_rises": 0, "power_rises": 1, "highest_power": None},
    }
    ((line,), _) = said(ENTRIES["batch_size"], [row], environment)
    assert line.endswith("Latency rises in 3 of the 3 that have it. Power rises in 1 of the 2 that have it.")


def test_a_row_that_cannot_be_said_is_named_and_the_others_are_said(environment: Environment) -> None:
    entry = {"all": "{{ model }} takes {{ joules | energy }}."}
    rows: list[Row] = [
        {"model": "A", "joules": 2.0},
        {"model": "B", "joules": None},
        {"model": None, "joules": None},
    ]
    lines, not_known = said(entry, rows, environment)
    assert lines == ("A takes 2.00 J.",)
    assert not_known == ("joules", "model")
    sentences = (
        Sentence("some", "", lines, "a model", not_known),
        Sentence("none", "", (), "another model", not_known),
        Sentence("nameless", "", (), None, ("joules",)),
        Sentence("whole", "", lines, "a third model"),
    )
    chapter = Chapter("", None, (), sentences)
    assert chapter.missing == [
        "joules, model of the sentence some",
        "another model",
        "joules of the sentence nameless",
    ]


@pytest.mark.parametrize(
    "use",
    [
        "value",
        "value | whole",
        "value | times",
        "value | factor",
        "value | exact",
        "value | percent",
        "value | signed",
        "value | energy",
        "value | tiny",
        "value | task",
        "value + 1",
        "1 - value",
        "-value",
        "'x' if value > 1",
        "'x' if value == 1",
        "'x' if value != 1",
    ],
)
def test_null_is_not_said_compared_or_computed_with(use: str, environment: Environment) -> None:
    assert said({"one": f"{{{{ {use} }}}}"}, [{"value": None}], environment) == ((), ("value",))


def test_a_defect_of_a_template_is_not_taken_for_a_null(environment: Environment) -> None:
    row = {"value": "words", "other": None}
    with pytest.raises(UndefinedError, match="valeu"):
        said({"one": "{{ valeu }}"}, [row], environment)
    with pytest.raises(TypeError):
        said({"one": "{% call if_known() %}{{ value + 1 }}{% endcall %}"}, [row], environment)
    with pytest.raises(ValueError, match="format"):
        said({"one": "{{ value | whole }}"}, [row], environment)


def rows_of_sentence(name: str, connection: duckdb.DuckDBPyConnection) -> Iterator[Row]:
    """Rows of both sources, and two made up by the columns' types."""
    for source in SOURCES:
        yield from rows_of_query(connection, sentence_query(name, source))[:ROWS]
    result = connection.sql(sentence_query(name, SOURCES[0]))
    types = dict(zip(result.columns, result.types, strict=True))
    for number in (1, 3):
        yield {column: made_up(kind, number) for column, kind in types.items()}


def made_up(kind: Any, number: int) -> Any:
    """A value of a DuckDB type."""
    if kind.id == "list":
        return [made_up(kind.children[0][1], number + place) for place in range(2)]
    if kind.id == "struct":
        return {name: made_up(part, number) for name, part in kind.children}
    return {"varchar": f"word {number}", "boolean": True}.get(kind.id, number)


def each_without_one(row: Row) -> Iterator[tuple[str, Row]]:
    """The row with one value NULL, each in turn, also in its lists."""
    for column, value in row.items():
        yield column, {**row, column: None}
        for place, part in enumerate(value) if isinstance(value, list) else ():
            for field in part:
                parts = [*value[:place], {**part, field: None}, *value[place + 1 :]]
                yield f"{column}[{place}].{field}", {**row, column: parts}


DRAWN_FROM = 4
"""Rows of a figure, enough to have one whose name is not known."""


def rows_of_figure(name: str, connection: duckdb.DuckDBPyConnection) -> Rows | None:
    """A few rows of a source that has some."""
    drawn = (FIGURES[name].rows(connection, source).head(DRAWN_FROM) for source in SOURCES)
    return next((rows for rows in drawn if not rows.empty), None)


def without(rows: Rows, column: str, places: Iterable[int]) -> Rows:
    """The rows with NULL in a column, as DuckDB hands it to pandas."""
    is_number = rows[column].dtype.kind in "if"
    changed = rows.assign(**{column: rows[column].astype(float if is_number else object)})
    changed.loc[list(places), column] = None
    return changed


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_a_figure_is_drawn_without_any_of_its_values(name: str, marts: duckdb.DuckDBPyConnection) -> None:
    rows = rows_of_figure(name, marts)
    if rows is None:
        pytest.skip("no rows in this warehouse")
    for column in rows.columns:
        places = [0] if column in NEEDED else range(len(rows))
        left = drawable(without(rows, column, places))
        assert len(left) == len(rows) - (1 if column in NEEDED else 0)
        if not left.empty:
            assert not re.search(r"\bnan\b|None", words_of(FIGURES[name].chart(left, TASKS))), column


def words_of(chart: Any) -> str:
    """What a figure writes: its texts that are fields and its choices."""
    with debug_mode(False):
        specification = chart.to_dict(validate=False)
    fields = {"label", "value", "line_name", "choice", "series", "item", "gpus"}
    rows = (row for table in specification["datasets"].values() for row in table)
    return " ".join(
        str(row[field]) for row in rows for field in fields & row.keys() if row[field] is not None
    )


def test_counts_stay_whole_numbers_beside_a_row_without_them(marts: duckdb.DuckDBPyConnection) -> None:
    rows = rows_of_figure("response_energy", marts)
    assert rows is not None
    left = drawable(without(rows, "num_gpus", [0]))
    assert [str(count) for count in left["num_gpus"]] == [str(count) for count in rows["num_gpus"][1:]]
