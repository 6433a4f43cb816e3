"""Verdicts, right answers in files, and what a measurement of graded prompts lands."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from pydantic import ValidationError

from benchmark_tasks import catalog
from benchmark_tasks.catalog import AnswerKey, DataSetEntry
from benchmark_tasks.errors import CatalogError, RequestSetError
from benchmark_tasks.grading import GRADER, Verdict, verdict_of
from benchmark_tasks.language.session import graded_answers_of
from benchmark_tasks.results.store import Store
from benchmark_tasks.results.summary import run_row
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.quick import landed, quick_sweep
from benchmark_tasks.vocabulary import AnswerForm, LengthControl, Task
from benchmark_tasks.workloads.catalog_sets import request_set_for
from benchmark_tasks.workloads.own_prompts import read_own_prompts
from benchmark_tasks.workloads.prompts import prompts_of
from benchmark_tasks.workloads.requests import DataSetText
from benchmark_tasks.workloads.set_names import name_of_file

CHOICE = AnswerKey(column="answer", form=AnswerForm.CHOICE, choices=4)
NUMBER = AnswerKey(column="answer", form=AnswerForm.NUMBER)
EXACT = AnswerKey(column="answer", form=AnswerForm.EXACT)


@pytest.mark.parametrize(
    ("key", "right", "text", "verdict"),
    [
        (CHOICE, "B", "Answer: (b)", Verdict.RIGHT),
        (CHOICE, "B", "Answer: (C)", Verdict.WRONG),
        (CHOICE, "B", "", Verdict.UNREADABLE),
        (NUMBER, "7/2 = 3.5\n#### 3.5", "It is 3.50.", Verdict.RIGHT),
        (NUMBER, "1,430", "Answer: $1430", Verdict.RIGHT),
        (NUMBER, "18", "Answer: -18", Verdict.WRONG),
        (NUMBER, "18", "Answer: eighteen", Verdict.UNREADABLE),
        (EXACT, "New York", "**New  york**.", Verdict.RIGHT),
        (EXACT, "New York", "The answer is “New York”.", Verdict.RIGHT),
        (EXACT, "New York", "New York City", Verdict.WRONG),
        (EXACT, "New York", " \n ", Verdict.UNREADABLE),
    ],
)
def test_verdicts(key: AnswerKey, right: str, text: str, verdict: Verdict) -> None:
    assert verdict_of(key, right, text, "stop") is verdict


def test_an_answer_that_was_cut_is_not_right_whatever_it_says() -> None:
    assert verdict_of(CHOICE, "B", "Answer: (B)", "length") is Verdict.CUT


def test_a_key_of_choices_says_how_many_there_are() -> None:
    for fields in ({"form": "choice"}, {"form": "number", "choices": 4}, {"form": "choice", "choices": 1}):
        with pytest.raises(ValidationError):
            AnswerKey.model_validate({"column": "answer", **fields})


def rows_file(folder: Path, suffix: str, rows: list[dict[str, Any]]) -> Path:
    file = folder / f"questions{suffix}"
    if suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), file)
    elif suffix == ".csv":
        lines = [",".join(map(str, row.values())) for row in rows]
        file.write_text("\n".join([",".join(rows[0]), *lines]) + "\n")
    else:
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_right_answers_are_read_from_every_kind_of_file(tmp_path: Path, suffix: str) -> None:
    file = rows_file(tmp_path, suffix, [{"prompt": "1+1", "answer": "2"}, {"prompt": "1/2", "answer": "0.5"}])
    assert [prompt.right for prompt in read_own_prompts(file, None, NUMBER).prompts] == ["2", "0.5"]
    assert [prompt.right for prompt in read_own_prompts(file, None).prompts] == [None, None]


@pytest.mark.parametrize(
    ("key", "rows", "message"),
    [
        (CHOICE, [{"prompt": "a"}], "row 1: answer: missing"),
        (CHOICE, [{"prompt": "a", "answer": "B"}, {"prompt": "b", "answer": ""}], "row 2: answer: missing"),
        (CHOICE, [{"prompt": "a", "answer": "E"}], "row 1: answer: 'E' is not a letter from A to D"),
        (CHOICE, [{"prompt": "a", "answer": 2}], "row 1: answer: '2' is not a letter from A to D"),
        (CHOICE, [{"prompt": "a", "answer": ["B"]}], r"row 1: answer: not a right answer: \['B'\]"),
        (NUMBER, [{"prompt": "a", "answer": "many"}], "row 1: answer: 'many' is not a number"),
        (NUMBER, [{"prompt": "a", "answer": True}], "row 1: answer: not a right answer: True"),
        (EXACT, [{"prompt": "a", "answer": "."}], "row 1: answer: '.' is not a text"),
        (
            CHOICE,
            [{"prompt": "a", "answer": "B"}, {"prompt": "a", "answer": "C"}],
            "row 2: answer: 'C', but row 1 asks the same and has 'B'",
        ),
    ],
)
def test_a_wrong_right_answer_names_row_and_column(
    tmp_path: Path, key: AnswerKey, rows: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(RequestSetError, match=message):
        read_own_prompts(rows_file(tmp_path, ".jsonl", rows), None, key)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_file_without_the_column_says_so(tmp_path: Path, suffix: str) -> None:
    file = rows_file(tmp_path, suffix, [{"prompt": "a", "right": "B"}])
    with pytest.raises(RequestSetError, match="no column answer, where the right answers should be"):
        read_own_prompts(file, None, CHOICE)


def sets(file: Path, key: AnswerKey | None) -> DataSetText:
    entries = catalog.load()
    entry = DataSetEntry(file=str(file), answer_key=key, source="mine")
    sweep = quick_sweep(
        2, request_set=name_of_file(file), data_set=entry, length_control=LengthControl.NATURAL
    )
    made = request_set_for(sweep, entries.model(sweep.model_id), entries.tasks[sweep.task])
    assert isinstance(made, DataSetText)
    assert graded_answers_of(sweep, made) == (0 if key is None else made.first_round)
    fixed = sweep.model_copy(update={"length_control": LengthControl.FIXED})
    assert graded_answers_of(fixed, made) == 0, "such answers go on after their end"
    return made


def test_right_answers_belong_to_their_requests_and_are_no_part_of_the_identity(tmp_path: Path) -> None:
    rows = [{"prompt": f"{i}+1", "answer": str(i + 1)} for i in range(20)]
    file = rows_file(tmp_path, ".jsonl", rows)
    graded, plain = sets(file, NUMBER), sets(file, None)
    assert graded.request_set_id == plain.request_set_id
    for index in range(20):
        question = json.loads(graded.request(index).body)["messages"][0]["content"]
        assert graded.right_of(index) == str(int(question.partition("+")[0]) + 1)
        assert plain.right_of(index) is None


def test_choices_of_a_hub_data_set_are_shuffled_with_their_right_letter() -> None:
    rows = [
        {
            "Question": f"Which is {i}?",
            "Correct Answer": f"it is {i}",
            **{f"Incorrect Answer {k}": f"not {i} but {k}" for k in (1, 2, 3)},
        }
        for i in range(12)
    ]
    entries = catalog.load()
    key = entries.tasks[Task.GPQA].data_sets["gpqa-diamond"].answer_key
    assert key == AnswerKey(column="Correct Answer", form=AnswerForm.CHOICE, choices=4)
    form = entries.tasks[Task.GPQA].data_sets["gpqa-diamond"].form
    prompts = prompts_of(form, rows, entries.model("jouleboard/qwen3-tiny"), 0, None)
    assert len(prompts) == 12 and len(set(prompts.values())) > 1
    for (text,), letter in prompts.items():
        assert f"({letter}) it is " in text


@pytest.mark.parametrize(
    "key",
    [
        {"column": "Correct Answer", "form": "number"},
        {"column": "Question", "form": "choice", "choices": 4},
        {"column": "Correct Answer", "form": "choice", "choices": 5},
    ],
)
def test_a_key_that_a_hub_data_set_cannot_have_is_refused_in_one_line(
    tmp_path: Path, key: dict[str, Any]
) -> None:
    overlay = tmp_path / "tasks" / "gpqa.yaml"
    overlay.parent.mkdir()
    entry = {"hub_id": "a/b", "revision": "main", "form": "multiple-choice", "source": "x", "answer_key": key}
    overlay.write_text(yaml.safe_dump({"task": "gpqa", "data_sets": {"mine": entry}}))
    with pytest.raises(CatalogError, match=r"gpqa\.yaml:\d+: .*is graded with `form: multiple-choice`"):
        catalog.load(overlay=tmp_path)


def test_the_command_grades_after_the_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jouleboard: Callable[..., tuple[int, str, str]]
) -> None:
    monkeypatch.setenv("JOULEBOARD_HOME", str(tmp_path / "home"))
    said = ["Answer: (B)", "It is C", "Answer: (C)", "Answer: (C) or maybe it is (B) I am not sure at all"]
    rows = [{"prompt": f"Question {i}. Say: {text}", "right": "B"} for i, text in enumerate(said * 2)]
    file = rows_file(tmp_path, ".jsonl", [*rows, rows[0]])
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"sweeps": [quick_sweep(2).model_dump(mode="json")]}))
    asked = ("measure", "--plan", plan, "--prompts", file, "--max-output-tokens", 8, "--keep-answers", 3)
    key = ("--answer-form", "choice", "--answer-column", "right", "--choices", 4)
    code, _, stderr = jouleboard(*asked, *key)
    assert code == 0, stderr
    assert "3 of 9 answers are right; 2 unreadable and 2 cut ones count as wrong" in stderr
    (run,) = landed(Settings(home=tmp_path / "home"))
    grades = run.grades
    assert grades is not None
    assert (grades.grader, grades.form, grades.choices) == (GRADER, AnswerForm.CHOICE, 4)
    assert (grades.answers, grades.questions, grades.right) == (9, 8, 3), "two rows ask the same"
    assert (grades.unreadable, grades.cut, grades.unanswered) == (2, 2, 0)
    assert (
        grades.output_tokens == sum(min(len(row["prompt"].split("Say: ")[1].split()), 8) for row in rows) + 2
    )
    ((_, folder),) = Store(tmp_path / "home" / "raw").listing().runs
    answers = pq.read_table(folder / "answers.parquet").to_pylist()
    assert len(answers) == 9 and sum(answer["verdict"] == "right" for answer in answers) == 3
    for answer in answers:
        kept = answer["request_index"] < 3
        assert (answer["text"] is not None) == (answer["right_answer"] == "B") == kept, (
            "only what was declared"
        )
    row = run_row(run, folder)
    assert (row["graded_answers"], row["right_answers"], row["answer_form"]) == (9, 3, "choice")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--choices", 4), "--choices: it needs an answer form"),
        (("--answer-column", "right"), "--answer-column: it needs an answer form"),
        (("--answer-form", "choice", "--prompts", "q.csv"), "--choices: `form: choice` needs `choices`"),
        (
            ("--answer-form", "number", "--prompts", "q.csv", "--choices", 4),
            "--choices: `form: choice` needs",
        ),
        (("--answer-form", "number"), "--answer-form: it grades prompts from a file"),
        (("--answer-form", "number", "--prompts", "q.csv", "--length", "fixed"), "leave out --length fixed"),
        (("--prompts", "q.txt"), "--prompts: not one of .jsonl"),
        (("--request-seed", 2**31), "--request-seed: "),
    ],
)
def test_options_that_cannot_grade_are_refused(
    jouleboard: Callable[..., tuple[int, str, str]], options: tuple[object, ...], message: str
) -> None:
    code, _, stderr = jouleboard("measure", "--model", "jouleboard/qwen3-tiny", *options)
    assert code == 1 and message in stderr and len(stderr.splitlines()) == 1
