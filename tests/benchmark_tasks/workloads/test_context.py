"""Prompts of one's own that do not fit are refused by the model's own tokenizer, before a server starts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmark_tasks import catalog
from benchmark_tasks.catalog import DataSetEntry
from benchmark_tasks.errors import RequestSetError
from benchmark_tasks.plan.sweep import Sweep
from benchmark_tasks.run import measure
from benchmark_tasks.runtimes.model_files import write_model_directory
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.quick import quick_sweep
from benchmark_tasks.vocabulary import LengthControl, Task
from benchmark_tasks.workloads.catalog_sets import request_set_for
from benchmark_tasks.workloads.chat import DataSetChat
from benchmark_tasks.workloads.context import require_fit, served_context
from benchmark_tasks.workloads.requests import DataSetText
from benchmark_tasks.workloads.sampling import Sampling

ENTRIES = catalog.load()
ANSWER, MARK = 100, 17
FRAME = 3 + len("user\n" + "\n" + "assistant\n")
"""Tokens of the tiny model's template around one message: three special ones, and one per letter."""

FITS = 1024 - ANSWER - MARK - FRAME
"""Letters that fit; the tiny model is served with a context of 1,024 tokens."""


def sweep(file: Path, rows: list[dict[str, Any]], **changes: object) -> Sweep:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = {
        "request_set": "prompts.mine",
        "data_set": DataSetEntry(file=str(file), source="mine"),
        "length_control": LengthControl.NATURAL,
        "sampling": Sampling(maximum_output_tokens=ANSWER),
    }
    return quick_sweep(2, **{**asked, **changes})


def require(file: Path, folder: Path, rows: list[dict[str, Any]], **changes: Any) -> list[str]:
    """Check the rows against the model in a folder; what was said."""
    options = changes.pop("options", {"max_model_len": 1024})
    wanted = sweep(file, rows, **changes)
    requests = request_set_for(wanted, ENTRIES.model(wanted.model_id), ENTRIES.tasks[wanted.task])
    assert isinstance(requests, DataSetText | DataSetChat)
    said: list[str] = []
    require_fit(requests, file, folder, options, said.append)
    return said


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_model_directory(tmp_path / "model", ENTRIES.model("jouleboard/qwen3-tiny"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mine.jsonl"


def rewrite(file: Path, **changes: object) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def test_it_is_one_line_before_anything_is_installed_or_landed(tmp_path: Path, file: Path) -> None:
    rows = [{"prompt": "1" * FITS}, {"prompt": "short"}, {"prompt": "1" * (FITS + 1)}]
    settings = Settings(home=tmp_path / "home")
    with pytest.raises(RequestSetError) as refused:
        measure(sweep(file, rows), settings)
    assert str(refused.value) == (
        f"{file}: row 3: {FITS + 1 + FRAME} tokens with the chat template, more than 907 (the context of "
        "1024 less 100 for the longest answer and 17 for the line before repeated prompts): shorten it, or "
        "give --max-output-tokens 99"
    )
    assert not (settings.home / "raw").exists() and not (settings.home / "environments").exists()


def test_what_fits_to_the_token_is_not_refused(file: Path, folder: Path) -> None:
    assert not require(file, folder, [{"prompt": "1" * FITS}])
    with pytest.raises(RequestSetError, match="row 1"):
        require(file, folder, [{"prompt": "1" * (FITS + 1)}])


def test_the_whole_conversation_counts_with_its_instructions(file: Path, folder: Path) -> None:
    words = "1" * 300
    talk = [{"role": role, "content": words} for role in ("system", "user", "assistant", "user")]
    assert not require(file, folder, [{"messages": talk[:2]}])
    with pytest.raises(RequestSetError, match=r"row 1: 12\d\d tokens"):
        require(file, folder, [{"messages": talk}])
    with pytest.raises(RequestSetError, match=r"row 2: .* shorten it$"):
        require(file, folder, [{"prompt": "a"}, {"prompt": "1" * 1500, "system": words}])


def test_words_are_counted_as_the_tokenizer_splits_them(file: Path, folder: Path) -> None:
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    word = max((token for token in vocabulary if token.startswith("\u0120")), key=len)[1:]
    long = f" {word}" * FITS
    assert len(long) > 2 * 1024, "more bytes than the context has tokens"
    assert not require(file, folder, [{"prompt": long}])
    with pytest.raises(RequestSetError, match=rf"row 1: {FITS + 1 + FRAME} tokens"):
        require(file, folder, [{"prompt": f"{long} {word}"}])


def test_text_to_be_completed_has_no_template(file: Path, folder: Path) -> None:
    completed = {"task": Task.SOURCEGRAPH_FIM, "model_id": "Qwen/Qwen3-8B"}
    assert not require(file, folder, [{"prompt": "1" * (FITS + FRAME)}], **completed)
    with pytest.raises(RequestSetError, match="row 1: 908 tokens, more than 907"):
        require(file, folder, [{"prompt": "1" * (FITS + FRAME + 1)}], **completed)


def test_prescribed_lengths_take_the_room_of_the_longest(file: Path, folder: Path) -> None:
    rows = [{"prompt": "1" * (FITS - 400)}]
    assert not require(file, folder, rows)
    fixed = {"length_control": LengthControl.FIXED, "sampling": Sampling()}
    with pytest.raises(RequestSetError, match="less 512 for the longest answer"):
        require(file, folder, [{"prompt": "1" * FITS}], **fixed)


def test_the_text_of_a_question_about_a_picture_counts(tmp_path: Path, file: Path) -> None:
    model = ENTRIES.model("jouleboard/qwen3-vl-tiny")
    seeing = write_model_directory(tmp_path / "model", model)
    (tmp_path / "a.png").write_bytes(b"picture")
    asked = {"task": Task.IMAGE_CHAT, "model_id": model.model_id}
    assert not require(file, seeing, [{"prompt": "What is it?", "image": "a.png"}], **asked)
    with pytest.raises(RequestSetError, match=r"row 1: 15\d\d tokens with the chat template"):
        require(file, seeing, [{"prompt": "1" * 1500, "image": "a.png"}], **asked)


@pytest.mark.parametrize("place", ["chat_template.jinja", "chat_template.json", "several", "none"])
def test_the_chat_template_is_found_wherever_a_model_has_it(file: Path, folder: Path, place: str) -> None:
    template = (
        "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}" + "2" * 50
    )
    config = folder / "tokenizer_config.json"
    rewrite(config, chat_template=None)
    match place:
        case "chat_template.jinja":
            (folder / place).write_text(template)
        case "chat_template.json":
            (folder / place).write_text(json.dumps({"chat_template": template}))
        case "several":
            named = [{"name": "tool_use", "template": ""}, {"name": "default", "template": template}]
            rewrite(config, chat_template=named)
    added = 0 if place == "none" else 50
    assert not require(file, folder, [{"prompt": "1" * (FITS + FRAME - added)}])
    with pytest.raises(RequestSetError, match=f"row 1: 908 tokens{' with' if added else ','}"):
        require(file, folder, [{"prompt": "1" * (FITS + FRAME - added + 1)}])


def test_a_conversation_that_the_template_refuses_is_named(file: Path, folder: Path) -> None:
    template = (
        "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}x"
    )
    rewrite(folder / "tokenizer_config.json", chat_template=template)
    assert not require(file, folder, [{"prompt": "a"}])
    with pytest.raises(
        RequestSetError, match=r"row 2: the model's chat template refuses it: System role not supported$"
    ):
        require(file, folder, [{"prompt": "a"}, {"prompt": "a", "system": "Be kind."}])


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("tokenizer.json", None, "has no tokenizer.json"),
        ("tokenizer.json", '{"version": "9.9"}', "tokenizer.json cannot be read: "),
        ("chat_template.jinja", "{% for %}", "the chat template cannot be read: "),
        (
            "chat_template.jinja",
            "{{ messages[0].nothing.at_all }}",
            "the chat template cannot be rendered here: ",
        ),
        (
            "chat_template.jinja",
            "{{ ''.__class__.__mro__[1].__subclasses__() }}",
            "cannot be rendered here: ",
        ),
        ("config.json", "{}", "the model's context is not known"),
    ],
)
def test_what_cannot_be_counted_is_said_and_left_to_the_server(
    file: Path, folder: Path, name: str, content: str | None, reason: str
) -> None:
    (folder / name).unlink(missing_ok=True)
    if content is not None:
        (folder / name).write_text(content)
    (line,) = require(
        file,
        folder,
        [{"prompt": "1" * 5000}],
        options={} if name == "config.json" else {"max-model-len": 1024},
    )
    assert reason in line and line.endswith("the server says which prompts do not fit") and "\n" not in line


@pytest.mark.parametrize(
    ("options", "config", "tokenizer", "context"),
    [
        ({"max_model_len": 1024}, {"max_position_embeddings": 4096}, {}, 1024),
        ({"max_model_len": 1024, "max-model-len": "8K"}, {"max_position_embeddings": 40960}, {}, 8192),
        ({"max-model-len": "25.6k"}, {}, {}, 25600),
        ({"max-model-len": "auto"}, {"max_position_embeddings": 4096}, {}, 4096),
        ({"max_model_len": -1}, {"max_position_embeddings": 4096}, {}, 4096),
        ({}, {"max_position_embeddings": 4096}, {"model_max_length": 2048}, 2048),
        ({}, {"max_position_embeddings": 4096}, {"model_max_length": int(1e30)}, 4096),
        ({}, {"text_config": {"max_position_embeddings": 512}}, {}, 512),
        ({}, {"n_positions": 1024}, {}, 1024),
        ({}, {"max_position_embeddings": 4096, "rope_scaling": {"type": "linear", "factor": 2.0}}, {}, 8192),
        (
            {},
            {"max_position_embeddings": 4096, "rope_scaling": {"rope_type": "llama3", "factor": 8}},
            {},
            4096,
        ),
        (
            {},
            {
                "max_position_embeddings": 40960,
                "rope_scaling": {"rope_type": "yarn", "factor": 4, "original_max_position_embeddings": 32768},
            },
            {},
            131072,
        ),
        (
            {},
            {
                "max_position_embeddings": 131072,
                "original_max_position_embeddings": 4096,
                "rope_scaling": {"type": "longrope"},
            },
            {},
            4096,
        ),
        ({}, {"hidden_size": 8}, {}, None),
    ],
)
def test_the_context_is_what_the_server_makes_of_the_files(
    tmp_path: Path, options: Any, config: Any, tokenizer: Any, context: int | None
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    assert served_context(tmp_path, options) == context
