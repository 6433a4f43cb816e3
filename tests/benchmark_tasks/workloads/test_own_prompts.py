"""Prompts of a person's own file: three formats, one identity, and bad rows in one line."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from benchmark_tasks import catalog
from benchmark_tasks.catalog import DataSetEntry
from benchmark_tasks.doctor import examine
from benchmark_tasks.errors import CatalogError, RequestSetError
from benchmark_tasks.plan import single_sweep, still_missing, sweep_again
from benchmark_tasks.plan.sweep import Sweep
from benchmark_tasks.results.identity import NO_GPU
from benchmark_tasks.results.store import Store
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.quick import landed, quick_sweep
from benchmark_tasks.vocabulary import LengthControl, Task
from benchmark_tasks.workloads.catalog_sets import request_set_for
from benchmark_tasks.workloads.chat import DataSetChat
from benchmark_tasks.workloads.own_prompts import read_own_prompts
from benchmark_tasks.workloads.requests import DataSetText
from benchmark_tasks.workloads.sampling import Sampling
from benchmark_tasks.workloads.set_names import name_of, name_of_file
from tests.benchmark_tasks.plan.test_planning import run_of

ENTRIES = catalog.load()
TALK = [
    {"role": "system", "content": "Be short."},
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hi."},
    {"role": "user", "content": "And now?"},
]
VL = "jouleboard/qwen3-vl-tiny"


def sweep(file: Path, **changes: object) -> Sweep:
    asked = {"length_control": LengthControl.NATURAL, "request_set": name_of_file(file)}
    entry = DataSetEntry(file=str(file), source="mine")
    return quick_sweep(2, **{**asked, "data_set": entry, **changes})


def set_of(file: Path, **changes: object) -> DataSetText | DataSetChat:
    wanted = sweep(file, **changes)
    made = request_set_for(wanted, ENTRIES.model(wanted.model_id), ENTRIES.tasks[wanted.task])
    assert isinstance(made, DataSetText | DataSetChat)
    return made


def bodies(requests: DataSetText | DataSetChat, count: int) -> list[dict[str, Any]]:
    return [json.loads(requests.request(i).body) for i in range(count)]


def json_lines(file: Path, rows: list[Any]) -> Path:
    file.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    return file


def write(file: Path, rows: list[dict[str, str]]) -> Path:
    match file.suffix:
        case ".csv":
            with file.open("w", newline="", encoding="utf-8-sig") as opened:
                writer = csv.DictWriter(opened, rows[0].keys())
                writer.writeheader()
                writer.writerows(rows)
        case ".parquet":
            pq.write_table(pa.Table.from_pylist(rows), file)
        case _:
            json_lines(file, rows)
    return file


@pytest.mark.parametrize("ending", ["jsonl", "ndjson", "csv", "parquet"])
def test_all_formats_ask_the_same(tmp_path: Path, ending: str) -> None:
    rows = [{"prompt": f'What is "{i}", please?\nSay it.', "system": "Be kind." * (i % 2)} for i in range(6)]
    requests = set_of(write(tmp_path / f"my questions.{ending}", rows))
    asked = [body["messages"] for body in bodies(requests, 6)]
    wanted = [
        [{"role": "system", "content": row["system"]}] * bool(row["system"])
        + [{"role": "user", "content": row["prompt"]}]
        for row in rows
    ]
    assert sorted(asked, key=json.dumps) == sorted(wanted, key=json.dumps)
    assert requests.request_set_id.startswith("prompts.my-questions-")
    assert (
        name_of(requests.request_set_id) == name_of_file(Path("my questions.csv")) == "prompts.my-questions"
    )


def test_a_conversation_is_asked_whole(tmp_path: Path) -> None:
    requests = set_of(json_lines(tmp_path / "talk.jsonl", [{"messages": TALK}, {"prompt": "Hello?"}]))
    first, second = sorted((body["messages"] for body in bodies(requests, 2)), key=len, reverse=True)
    assert first == TALK and second == [{"role": "user", "content": "Hello?"}]
    again = [body["messages"][0]["content"] for body in bodies(requests, 6)]
    assert len(set(again)) == 6, "no prefix is sent twice, with instructions or without"
    assert {text.splitlines()[-1] for text in again} == {"Be short.", "Hello?"}


def test_blank_lines_are_skipped_and_other_fields_ignored(tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text('\ufeff\n{"prompt": "a", "answer": 4}\n  \n\r\n{"prompt": "b", "id": null}\n\n')
    assert [prompt.row for prompt in read_own_prompts(file, None).prompts] == [2, 5]
    table = tmp_path / "questions.csv"
    table.write_text("id,prompt\n\n1,a\n\n2,b\n")
    assert [prompt.turns for prompt in read_own_prompts(table, None).prompts] == [("a",), ("b",)]


def test_fields_that_are_not_read_may_stand_twice(tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("prompt,,\na,,\n")
    (tmp_path / "q.jsonl").write_text('{"prompt": "a", "tag": 1, "tag": 2, "more": [{"prompt": 1}]}')
    assert read_own_prompts(tmp_path / "q.csv", None).prompts == (
        read_own_prompts(tmp_path / "q.jsonl", None).prompts
    )


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_a_pointer_in_place_of_the_file_is_said(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"q.{ending}"
    file.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n")
    with pytest.raises(
        RequestSetError, match="only a pointer of Git LFS, not the prompts: run `git lfs pull`"
    ):
        read_own_prompts(file, None)


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_another_encoding_is_said(tmp_path: Path, ending: str, encoding: str) -> None:
    file = tmp_path / f"q.{ending}"
    file.write_text(
        'prompt\n"caf\u00e9"\n' if ending == "csv" else '{"prompt": "caf\u00e9"}\n', encoding=encoding
    )
    with pytest.raises(RequestSetError, match=r"q\.\w+: line \d: not UTF-8: save the file"):
        read_own_prompts(file, None)


def test_content_and_choices_are_the_identity_and_the_place_is_not(tmp_path: Path) -> None:
    rows = [{"prompt": f"Question {i}"} for i in range(20)]
    file = json_lines(tmp_path / "q.jsonl", rows)
    usual = set_of(file)
    (tmp_path / "elsewhere").mkdir()
    assert set_of(json_lines(tmp_path / "elsewhere" / "q.jsonl", rows)).request_set_id == usual.request_set_id
    chosen = [
        Sampling(maximum_output_tokens=7),
        Sampling(temperature=0),
        Sampling(seed=3),
        Sampling(seed=0),
    ]
    sets = [set_of(file, sampling=sampling) for sampling in chosen]
    other = set_of(json_lines(file, [*rows, {"prompt": "one more"}]))
    ids = {requests.request_set_id for requests in (usual, *sets, other)}
    assert len(ids) == 5, "seed 0 is the usual one"
    capped, cold, shuffled, same = (bodies(requests, 20) for requests in sets)
    assert {body["max_completion_tokens"] for body in capped} == {7}
    assert {body["temperature"] for body in cold} == {0}
    assert shuffled != same and sorted(map(json.dumps, shuffled)) == sorted(map(json.dumps, same))


def test_choices_apply_to_synthetic_requests_and_keep_their_runs_apart() -> None:
    def made(**choices: Any) -> tuple[Any, Sweep]:
        wanted = quick_sweep(sampling=Sampling(**choices))
        model = ENTRIES.model(wanted.model_id)
        return request_set_for(wanted, model, ENTRIES.tasks[wanted.task]), wanted

    usual, plain = made()
    chosen, asked = made(maximum_output_tokens=5, temperature=0, seed=4)
    assert chosen.request_set_id != usual.request_set_id
    lengths = {json.loads(chosen.request(i).body)["max_tokens"] for i in range(50)}
    assert max(lengths) <= 5 and min(lengths) >= 1
    assert json.loads(chosen.request(0).body)["temperature"] == 0
    assert asked.sampling.mark == "+at-most-5+temperature-0+request-seed-4"
    run = run_of(asked, asked.points[0])
    keys = {"request_set_id": chosen.request_set_id + asked.sampling.mark}
    run = run.model_copy(update={"comparability": run.comparability.model_copy(update=keys)})
    assert still_missing(asked, [run]) is None and still_missing(plain, [run]) == plain
    with pytest.raises(CatalogError, match="measured by hand"):
        sweep_again(ENTRIES, run.configuration, run.comparability)


def messages(*changes: tuple[int, str, object]) -> dict[str, Any]:
    talk = [dict(message) for message in TALK]
    for place, field, value in changes:
        talk[place][field] = value  # type: ignore[assignment]
    return {"messages": talk}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({}, "row 2: prompt: missing"),
        ({"prompt": None}, "row 2: prompt: missing"),
        ({"prompt": 7}, "row 2: prompt: input should be a valid string"),
        ({"prompt": "  "}, "row 2: prompt: empty"),
        ({"prompt": "a", "messages": TALK}, "row 2: messages: not beside prompt"),
        ({"prompt": "a", "image": "a.png"}, "row 2: image: the task has text only"),
        ({"messages": []}, "row 2: messages: empty"),
        ({"messages": "hello"}, "row 2: messages: input should be a valid list"),
        ({"messages": [{"role": "user"}]}, r"row 2: messages\[0\]\.content: field required"),
        ({"messages": ["hello"]}, r"row 2: messages\[0\]: "),
        (messages((3, "content", None)), r"row 2: messages\[3\]\.content: input should be a valid string"),
        (messages((3, "content", " ")), r"row 2: messages\[3\]\.content: empty"),
        (messages((2, "role", "tool")), r"row 2: messages\[2\]\.role: input should be 'system'"),
        (messages((2, "role", "user")), r"row 2: messages\[2\]\.role: user where assistant must be"),
        ({"messages": TALK[:-1]}, "row 2: messages: the last one must be of the user"),
        ({"messages": TALK, "system": "x"}, "row 2: system: not beside messages"),
        (["prompt"], "row 2: not an object"),
    ],
)
def test_a_bad_row_is_one_line_that_names_row_and_field(tmp_path: Path, row: Any, message: str) -> None:
    file = json_lines(tmp_path / "q.jsonl", [{"prompt": "good"}, row])
    with pytest.raises(RequestSetError, match=message) as caught:
        set_of(file)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(str(file))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("q.txt", b"a", r"not one of \.jsonl"),
        ("q.jsonl", b"", "no prompts in it"),
        ("q.jsonl", b"\n \n", "no prompts in it"),
        ("q.jsonl", b'{"prompt": "a"}\n{"prompt": ', "row 2: not JSON"),
        ("q.jsonl", b'{"prompt": "a"}\n{"prompt": "\xff"}', "line 2: not UTF-8"),
        ("q.parquet", b"PAR1", "not a whole Parquet file"),
        ("q.csv", b"question\na\n", "no column prompt or messages"),
        ("q.csv", b"prompt\na,b\n", "row 1: more fields than the header"),
        ("q.csv", b'prompt\na\n"b\n', "row 2: not CSV"),
        ("q.csv", b"prompt,system\na,b\n,c\n", "row 2: prompt: missing"),
        ("q.csv", b"prompt\n\xff\n", "not UTF-8"),
        ("q.csv", b"prompt,system,prompt\na,b,c\n", "two columns are called prompt"),
        (
            "q.jsonl",
            b'{"prompt": "a"}\n{"prompt": "a", "n": {"prompt": 1}, "prompt": "b"}',
            "row 2: prompt stands",
        ),
        ("q.jsonl", b'{"prompt": "a", "n": ' + b"1" * 5000 + b"}", "row 1: not JSON"),
        ("gone.csv", None, "No such file"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(RequestSetError, match=message) as caught:
        set_of(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_parquet_without_the_columns_says_so(tmp_path: Path) -> None:
    pq.write_table(pa.table({"question": ["a"]}), tmp_path / "q.parquet")
    with pytest.raises(RequestSetError, match="no column prompt or messages"):
        set_of(tmp_path / "q.parquet")


def test_pictures_lie_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"picture")
    of_image = {"task": Task.IMAGE_CHAT, "model_id": VL}
    file = json_lines(
        tmp_path / "q.jsonl",
        [
            {"prompt": "What is it?", "image": "a.png"},
            {"messages": [{"role": "user", "content": "And this?"}], "images": ["a.png"]},
        ],
    )
    requests = set_of(file, **of_image)
    content = bodies(requests, 1)[0]["messages"][0]["content"]
    assert content[0]["image_url"]["url"] == "data:image/jpeg;base64,cGljdHVyZQ=="
    before = requests.request_set_id
    (tmp_path / "a.png").write_bytes(b"another")
    assert set_of(file, **of_image).request_set_id != before
    bytes_in_rows = pa.Table.from_pylist([{"prompt": "x", "image": {"bytes": b"picture", "path": None}}])
    pq.write_table(bytes_in_rows, tmp_path / "q.parquet")
    assert bodies(set_of(tmp_path / "q.parquet", **of_image), 1)[0]["messages"][0]["content"] == [
        content[0],
        {"type": "text", "text": "x"},
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": "a"}, "row 1: image: missing"),
        ({"prompt": "a", "image": "gone.png"}, "row 1: image: .*No such file"),
        ({"prompt": "a", "image": "../secret"}, "row 1: image: .*leads out of"),
        ({"prompt": "a", "image": "empty.png"}, "row 1: image: an empty file"),
        ({"prompt": "a", "video": "a.mp4"}, "row 1: video: the task asks about image"),
        ({"prompt": "a", "images": ["a.png", "b.png"]}, "row 1: images: list should have at most 1 item"),
        ({"prompt": "a", "image": {"url": "x"}}, "row 1: image: neither bytes nor path"),
        (
            {"prompt": "a", "image": "empty.png", "system": "b"},
            "row 1: system: with image only a single prompt",
        ),
    ],
)
def test_a_bad_picture_is_one_line(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    (tmp_path / "empty.png").write_bytes(b"")
    file = json_lines(tmp_path / "q.jsonl", [row])
    with pytest.raises(RequestSetError, match=message):
        set_of(file, task=Task.IMAGE_CHAT, model_id=VL)


def overlay(home: Path, **fields: object) -> None:
    folder = home / "catalog" / "tasks"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "lm-arena-chat.yaml").write_text(yaml.safe_dump({"task": "lm-arena-chat", **fields}))


def test_the_catalogs_overlay_adds_data_sets_that_travel_with_sweeps(tmp_path: Path) -> None:
    file = json_lines(tmp_path / "support.jsonl", [{"prompt": "a"}])
    entry = {"file": str(file), "maximum_output_tokens": 64, "source": "our own"}
    overlay(tmp_path, data_sets={"support": entry}, request_set="support", length_control="natural")
    added = catalog.load(overlay=tmp_path / "catalog")
    wanted = single_sweep(
        added,
        model_id="jouleboard/qwen3-tiny",
        task=Task.LM_ARENA_CHAT,
        runtime_version="0.32.0",
        gpu_model=NO_GPU,
        num_gpus=0,
    )
    assert (wanted.request_set, wanted.length_control) == ("support", LengthControl.NATURAL)
    arrived = Sweep.model_validate_json(wanted.model_dump_json())
    shipped = ENTRIES.model(wanted.model_id), ENTRIES.tasks[wanted.task]
    requests = request_set_for(arrived, *shipped)
    assert requests.request(0).max_tokens == 64 and requests.request_set_id.startswith("support-")
    run = run_of(wanted, wanted.points[0])
    keys = {"request_set_id": requests.request_set_id}
    published = run.comparability.model_copy(update=keys)
    again = sweep_again(added, run.configuration, published)
    assert again.data_set == added.tasks[wanted.task].data_sets["support"]
    by_hand = {"request_set_id": "prompts.mine-0123456789ab-01234567"}
    with pytest.raises(CatalogError, match="its prompts came from a file"):
        sweep_again(added, run.configuration, run.comparability.model_copy(update=by_hand))
    file.unlink()
    (finding,) = [f for f in examine(Settings(home=tmp_path)).findings if f.name == "data sets"]
    assert finding.detail == f"no such file: support ({file})"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, r"lm-arena-chat\.yaml:1: .*add `data_sets`"),
        ({"request_set": "other"}, "has no request set 'other'"),
        ({"data_sets": {"lm-arena": {"file": "/a.csv", "source": "x"}}}, "there is one of this name"),
        ({"data_sets": {"synthetic-2": {"file": "/a.csv", "source": "x"}}}, "there is one of this name"),
        ({"data_sets": {"A B": {"file": "/a.csv", "source": "x"}}}, r"data_sets\.A B"),
        ({"data_sets": {"a": {"file": "a.csv", "source": "x"}}}, r"yaml:\d+: data_sets\.a\.file: .*pattern"),
        ({"data_sets": {"a": {"source": "x"}}}, "name one of both"),
        ({"data_sets": {"a": {"file": "/a.csv", "revision": "x", "source": "x"}}}, "a file has none"),
        ({"data_sets": {"a": {"file": "/a.csv", "form": "conversation", "source": "x"}}}, "`form: prompts`"),
        ({"questions": 1}, r"yaml:\d+: questions: extra"),
    ],
)
def test_a_wrong_overlay_names_file_line_and_field(
    tmp_path: Path, fields: dict[str, object], message: str
) -> None:
    overlay(tmp_path, **fields)
    with pytest.raises(CatalogError, match=f"(?i){message}"):
        catalog.load(overlay=tmp_path / "catalog")


def test_the_command_measures_the_prompts_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jouleboard: Callable[..., tuple[int, str, str]]
) -> None:
    monkeypatch.setenv("JOULEBOARD_HOME", str(tmp_path / "home"))
    file = json_lines(tmp_path / "q.jsonl", [{"prompt": f"Question {i}"} for i in range(5)])
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"sweeps": [quick_sweep(2).model_dump(mode="json")]}))
    choices = ("--max-output-tokens", 20, "--temperature", 0, "--request-seed", 3, "--keep-answers", 12)
    code, _, stderr = jouleboard("measure", "--plan", plan, "--prompts", file, *choices)
    assert code == 0, stderr
    (run,) = landed(Settings(home=tmp_path / "home"))
    keys = run.comparability
    assert name_of(keys.request_set_id) == "prompts.q+at-most-20+temperature-0+request-seed-3"
    assert keys.length_control is LengthControl.NATURAL
    (bundle,) = Store(tmp_path / "home" / "raw").listing().runs
    answers = pq.read_table(bundle[1] / "answers.parquet").to_pylist()
    assert [answer["request_index"] for answer in answers] == list(range(5)), "of unchanged prompts only"
    assert sorted(answer["prompt_row"] for answer in answers) == [1, 2, 3, 4, 5]
    for answer in answers:
        assert answer["text"] == " token" * answer["output_tokens"] and not answer["text_cut"]
        assert (answer["finish_reason"] == "length") == (answer["output_tokens"] == 20)
    code, _, stderr = jouleboard("measure", "--plan", plan, "--prompts", file, "--request-set", "lm-arena")
    assert code == 1 and "give one of them" in stderr
    file.write_text('{"prompt": 3}')
    code, _, stderr = jouleboard("measure", "--plan", plan, "--prompts", file)
    assert code == 1 and stderr.splitlines()[-1].startswith(f"error: {file}: row 1: prompt:")
