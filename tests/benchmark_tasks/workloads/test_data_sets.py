"""Real data sets as request sets: prompts, order, lengths, identity; and a hub that does not help."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmark_tasks import catalog
from benchmark_tasks.errors import CatalogError, RequestSetError
from benchmark_tasks.plan.sweep import Sweep
from benchmark_tasks.results import bundle
from benchmark_tasks.results.store import Store
from benchmark_tasks.run import measure
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.quick import quick_sweep
from benchmark_tasks.vocabulary import LengthControl, Task
from benchmark_tasks.workloads.catalog_sets import request_set_for
from benchmark_tasks.workloads.data_sets import Rows, rows_of, save
from benchmark_tasks.workloads.requests import DataSetText
from benchmark_tasks.workloads.set_names import name_of
from benchmark_tasks.workloads.stationary import UnderWay
from benchmark_tasks.workloads.words import WORD

ENTRIES = catalog.load()
CODER = next(model_id for model_id in ENTRIES.models if model_id.startswith("Qwen/Qwen3-Coder"))

CONVERSATIONS = [
    {"conversation_a": [
        {"role": "user", "content": f"Question {i}?"},
        {"role": "assistant", "content": f"Answer {i}."},
        {"role": "user", "content": f"And {i} more?"},
        {"role": "assistant", "content": "Yes."},
    ], "winner": "tie"}
    for i in range(20)
]  # fmt: skip
QUESTIONS = [
    {"Question": f" What is {i}? ", "Correct Answer": f"right {i}\n", **{
        f"Incorrect Answer {k}": f"wrong {i}.{k}" for k in (1, 2, 3)
    }}
    for i in range(5)
]  # fmt: skip
CODE = [{"prefix": f"def f{i}():\n    ", "suffix": "\n    return x\n", "middle": "x = 1"} for i in range(5)]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A machine with local copies of all three."""
    folder = tmp_path / "data"
    for name, rows in (("lm-arena", CONVERSATIONS), ("sourcegraph-fim", CODE)):
        (folder / name).mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows), folder / name / "part-0.parquet")
    (folder / "gpqa-diamond").mkdir()
    lines = "\n".join(json.dumps(row) for row in QUESTIONS)
    (folder / "gpqa-diamond" / "rows.jsonl").write_text(lines + "\n")
    (folder / "gpqa-diamond" / "REVISION").write_text("633f5ee89ab8ad4522a9f850766b73f62147ffdd\n")
    return Settings(home=tmp_path / "home", data_sets=folder)


def sweep(task: Task, name: str, model_id: str = "Qwen/Qwen3-8B", **changes: object) -> Sweep:
    asked = {"task": task, "request_set": name, "model_id": model_id}
    return quick_sweep(2, **{**asked, "length_control": LengthControl.NATURAL, **changes})


def set_of(wanted: Sweep, settings: Settings) -> DataSetText:
    made = request_set_for(wanted, ENTRIES.model(wanted.model_id), ENTRIES.tasks[wanted.task], settings)
    assert isinstance(made, DataSetText)
    return made


def bodies(requests: DataSetText, count: int) -> list[dict]:
    return [json.loads(requests.request(i).body) for i in range(count)]


def chat(settings: Settings, **changes: Any) -> DataSetText:
    return set_of(sweep(Task.LM_ARENA_CHAT, "lm-arena", **changes), settings)


def test_a_conversation_is_asked_turn_by_turn(settings: Settings) -> None:
    requests = chat(settings)
    asked = bodies(requests, 40)
    assert requests.path == "/v1/chat/completions"
    assert {len(body["messages"]) for body in asked} == {1, 3}
    long = next(body for body in asked if len(body["messages"]) == 3)
    assert [message["role"] for message in long["messages"]] == ["user", "assistant", "user"]
    assert long["messages"][0]["content"].startswith("Question")
    assert all(body["max_completion_tokens"] == 4096 and not body["ignore_eos"] for body in asked)


def test_a_question_has_its_answers_in_a_fixed_but_random_order(settings: Settings) -> None:
    requests = set_of(sweep(Task.GPQA, "gpqa-diamond"), settings)
    texts = [body["messages"][0]["content"] for body in bodies(requests, 5)]
    assert all(
        text.startswith("What is the correct answer to the following question: What is ") for text in texts
    )
    places = {text[text.index("right") - 3] for text in texts}
    assert places <= set("ABCD") and len(places) > 1
    assert texts == [
        b["messages"][0]["content"] for b in bodies(set_of(sweep(Task.GPQA, "gpqa-diamond"), settings), 5)
    ]
    assert requests.request_set_id.startswith("gpqa-diamond-633f5ee89ab8-")
    assert requests.request(0).max_tokens == 10240  # half of the context that the catalog gives this model


def test_code_is_completed_between_the_models_own_marks(settings: Settings) -> None:
    requests = set_of(sweep(Task.SOURCEGRAPH_FIM, "sourcegraph-fim", CODER), settings)
    assert requests.path == "/v1/completions"
    prompt = bodies(requests, 1)[0]["prompt"]
    assert prompt.startswith("<|fim_prefix|>def f") and prompt.endswith("return x\n<|fim_middle|>")
    assert bodies(requests, 1)[0]["max_tokens"] == 2048
    with pytest.raises(CatalogError, match="no marks for filling in code are known for"):
        set_of(sweep(Task.SOURCEGRAPH_FIM, "sourcegraph-fim"), settings)


def test_no_words_are_sent_twice(settings: Settings) -> None:
    requests = chat(settings)
    count = len(requests.prompts)
    sent = [json.dumps(body["messages"]) for body in bodies(requests, 3 * count)]
    sent += [json.dumps(body["messages"]) for body in bodies(requests.warm_up(16), 2 * count)]
    assert len(set(sent)) == len(sent)
    beginnings = [json.loads(text)[0]["content"][:17] for text in sent[count:]]
    assert len(set(beginnings)) == len(beginnings)  # not even a block of a prefix
    second = [
        body["messages"][0]["content"].split("\n", 1)[1] for body in bodies(requests, 2 * count)[count:]
    ]
    assert sorted(second) == sorted(p[0] for p in requests.prompts)
    assert second != [p[0] for p in requests.prompts]


def test_the_order_is_the_seeds_and_survives_another_process(settings: Settings) -> None:
    requests = chat(settings)
    again = pickle.loads(pickle.dumps(chat(settings)))
    assert [requests.request(i) for i in range(90)] == [again.request(i) for i in range(90)]
    assert list(requests.prompts) != sorted(requests.prompts)


def test_the_id_says_what_decides_the_requests_and_not_the_servers_name(settings: Settings) -> None:
    base = chat(settings)
    assert base.served_as("theirs").request_set_id == base.request_set_id
    assert json.loads(base.served_as("theirs").request(0).body)["model"] == "theirs"
    others = [
        chat(settings, length_control=LengthControl.FIXED),
        chat(settings, model_id="jouleboard/qwen3-tiny"),
    ]
    assert len({base.request_set_id, *(other.request_set_id for other in others)}) == 3
    rows = [*CONVERSATIONS, {"conversation_a": [{"role": "user", "content": "One more"}], "winner": "tie"}]
    pq.write_table(pa.Table.from_pylist(rows), settings.data_sets / "lm-arena" / "part-0.parquet")
    changed = chat(settings)
    assert changed.request_set_id != base.request_set_id
    assert changed.request_set_id.startswith("lm-arena-local.")


def test_prescribed_lengths_are_the_tasks(settings: Settings) -> None:
    fixed = chat(settings, length_control=LengthControl.FIXED)
    lengths = [body["max_completion_tokens"] for body in bodies(fixed, 30)]
    assert len(set(lengths)) > 10 and max(lengths) <= 4096
    assert all(body["ignore_eos"] for body in bodies(fixed, 3))
    begun = fixed.request(0, UnderWay(length=900, written=700))
    asked = orjson.loads(begun.body)["messages"][-1]["content"]
    whole = orjson.loads(fixed.request(0).body)["messages"][-1]["content"]
    assert begun.max_tokens == 200 and asked == whole + 700 * WORD
    assert {body["max_completion_tokens"] for body in bodies(fixed.warm_up(16), 5)} == {16}


def test_what_does_not_fit_the_context_is_left_out(settings: Settings) -> None:
    rows = [{"conversation_a": [{"role": "user", "content": "é" * n}]} for n in (10, 200, 300)]
    pq.write_table(pa.Table.from_pylist(rows), settings.data_sets / "lm-arena" / "part-0.parquet")
    kept = chat(settings, model_id="jouleboard/qwen3-tiny").prompts  # context 1024: 448 bytes
    assert sorted(len(prompt[0]) for prompt in kept) == [10, 200]


def test_what_is_copied_from_the_hub_keeps_its_revision(tmp_path: Path) -> None:
    entry = ENTRIES.tasks[Task.GPQA].data_sets["gpqa-diamond"]
    save("gpqa-diamond", Rows(str(entry.revision), QUESTIONS), tmp_path)
    found = rows_of("gpqa-diamond", entry, Settings(home=tmp_path, data_sets=tmp_path))
    assert found.revision == entry.revision and list(found.rows) == QUESTIONS


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("rows.jsonl", '{"Question": "?"}\n', "no column 'Correct Answer'"),
        ("rows.jsonl", "not json\n", "it needs Question"),
        ("rows.parquet", "not parquet", "it needs Question"),
        ("rows.txt", "", "no .parquet or .jsonl file"),
        ("rows.jsonl", "\n[1]\n", "row 2: not an object"),
        (
            "rows.parquet",
            "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
            "rows.parquet: only a pointer of Git LFS: run `git lfs pull` there",
        ),
        (
            "rows.jsonl",
            json.dumps({**QUESTIONS[0], "Question": None}),
            "data set gpqa-diamond: row 1: Question: miss",
        ),
        (
            "rows.jsonl",
            json.dumps({**QUESTIONS[0], "Correct Answer": []}),
            "row 1: Correct Answer: not a text",
        ),
    ],
)
def test_a_wrong_copy_is_one_line(settings: Settings, file: str, content: str, message: str) -> None:
    folder = settings.data_sets / "gpqa-diamond"
    (folder / "rows.jsonl").unlink()
    (folder / file).write_text(content)
    with pytest.raises(RequestSetError, match=message) as caught:
        set_of(sweep(Task.GPQA, "gpqa-diamond"), settings)
    assert "\n" not in str(caught.value)


def test_blank_lines_of_a_copy_are_skipped(settings: Settings) -> None:
    before = set_of(sweep(Task.GPQA, "gpqa-diamond"), settings).prompts
    file = settings.data_sets / "gpqa-diamond" / "rows.jsonl"
    file.write_text("\n" + file.read_text().replace("\n", "\n \n\r\n"))
    assert set_of(sweep(Task.GPQA, "gpqa-diamond"), settings).prompts == before


def test_a_message_without_content_is_one_line(settings: Settings) -> None:
    (settings.data_sets / "lm-arena" / "part-0.parquet").unlink()
    rows = [{"conversation_a": [{"role": "user"}]}, {"conversation_a": "hello"}]
    for row, message in zip(
        rows, (r"conversation_a\[0\]\.content: missing", "not a list of messages"), strict=True
    ):
        (settings.data_sets / "lm-arena" / "rows.jsonl").write_text(
            json.dumps(CONVERSATIONS[0]) + "\n" + json.dumps(row)
        )
        with pytest.raises(RequestSetError, match=f"data set lm-arena: row 2: .*{message}"):
            chat(settings)


def test_a_measurement_with_real_prompts_carries_their_identity(settings: Settings) -> None:
    wanted = sweep(
        Task.LM_ARENA_CHAT, "lm-arena", "jouleboard/qwen3-tiny", length_control=LengthControl.FIXED
    )
    measure(wanted, settings, say=lambda line: None)
    ((_, path),) = Store(settings.raw).listing().runs
    run = bundle.verify(path)
    assert run.comparability.request_set_id == chat_id(settings)
    assert run.requests.failed == 0 and run.requests.completed > 0


def chat_id(settings: Settings) -> str:
    return chat(settings, model_id="jouleboard/qwen3-tiny", length_control=LengthControl.FIXED).request_set_id


def test_prompts_never_outgrow_what_a_worker_is_sent(settings: Settings) -> None:
    rows = [{"conversation_a": [{"role": "user", "content": str(i)}]} for i in range(9000)]
    pq.write_table(pa.Table.from_pylist(rows), settings.data_sets / "lm-arena" / "part-0.parquet")
    assert len(chat(settings).prompts) == 8192


# --- the hub ------------------------------------------------------------------------------------


@pytest.fixture
def hub() -> Iterator[str]:
    """A hub that wants a token for everything, and quotes what it was given."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(401)
            self.send_header("X-Error-Code", "GatedRepo")
            self.send_header("X-Error-Message", f"gated; you sent {self.headers.get('Authorization')}")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def fetch(tmp_path: Path, name: str, **variables: str) -> subprocess.CompletedProcess[str]:
    quiet = {"HF_HOME": str(tmp_path / "hf"), "HF_TOKEN": "hf_secret"}
    environment = {**os.environ, **quiet, **variables}
    environment.pop("JOULEBOARD_DATA_SETS", None)
    whole = [sys.executable, "-m", "benchmark_tasks.cli", "data-set", name, str(tmp_path / "copy")]
    return subprocess.run(whole, env=environment, capture_output=True, text=True, timeout=120, check=False)


def assert_one_line(ended: subprocess.CompletedProcess[str], code: int, message: str) -> None:
    [line] = ended.stderr.splitlines()
    assert ended.returncode == code and line.startswith("error: ") and message in line
    assert "hf_secret" not in ended.stdout + ended.stderr


def test_a_gated_set_says_what_to_do_and_never_the_token(hub: str, tmp_path: Path) -> None:
    ended = fetch(tmp_path, "gpqa-diamond", HF_ENDPOINT=hub)
    assert_one_line(ended, 1, "accept its terms on the hub and set HF_TOKEN")


def test_a_hub_that_is_away_is_worth_another_try(tmp_path: Path) -> None:
    ended = fetch(tmp_path, "sourcegraph-fim", HF_ENDPOINT="http://127.0.0.1:9")
    assert_one_line(ended, 75, "the model hub did not answer")


def test_without_the_client_it_names_the_package(tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "datasets.py").write_text("raise ModuleNotFoundError('hidden', name='datasets')\n")
    assert_one_line(fetch(tmp_path, "lm-arena", PYTHONPATH=str(hidden)), 1, "pip install datasets")


def test_an_unknown_set_names_those_there_are(tmp_path: Path) -> None:
    assert_one_line(fetch(tmp_path, "lmsys"), 1, "gpqa-diamond, vision-arena, lm-arena")


def test_a_set_is_recognised_by_its_id(settings: Settings) -> None:
    synthetic = request_set_for(
        sweep(Task.LM_ARENA_CHAT, "synthetic"),
        ENTRIES.model("Qwen/Qwen3-8B"),
        ENTRIES.tasks[Task.LM_ARENA_CHAT],
    )
    gpqa = set_of(sweep(Task.GPQA, "gpqa-diamond"), settings)
    ids = [synthetic.request_set_id, chat(settings).request_set_id, gpqa.request_set_id]
    assert [name_of(request_set_id) for request_set_id in ids] == ["synthetic", "lm-arena", "gpqa-diamond"]
    assert name_of(ids[1] + "+afresh") == "lm-arena+afresh"
