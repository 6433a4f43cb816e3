"""The hub is read through its own client; whatever it answers, trouble is one line."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmark_tasks.errors import HubRefused, IndexUnreachable, JouleboardError
from benchmark_tasks.releases.hub import Hub
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.hub import ModelHub
from tests.benchmark_tasks.releases.hub_samples import QWEN3_8B, add_dense

COMMIT = "0" * 40


@pytest.fixture
def hub(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Hub:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    return Hub(settings)


def one_line(kind: type[JouleboardError], part: str, call: Callable[[], Any]) -> str:
    with pytest.raises(kind) as caught:
        call()
    message = str(caught.value)
    assert part in message
    assert "\n" not in message
    assert "secret" not in message
    return message


def test_a_list_is_read_page_by_page(server: ModelHub, hub: Hub) -> None:
    for number in range(5):
        add_dense(server, f"Qwen/Q-{number}")
    server.add("Qwen/Sees", pipeline_tag="image-text-to-text")
    server.add("google/Other")
    found, unreadable = hub.models("Qwen", "text-generation")
    assert [model.model_id for model in found] == [f"Qwen/Q-{number}" for number in range(5)]
    assert unreadable == []
    assert sum("/api/models?" in request for request in server.asked) == 3
    assert found[0].architectures == ("Qwen3ForCausalLM",)
    assert found[0].total_params == 151936 * 4096 + 1846354 * 4096
    assert found[0].revision == server.models["Qwen/Q-0"].revision


def test_a_mirror_on_this_machine_is_behind_no_proxy(
    server: ModelHub, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    model = add_dense(server)
    assert hub.commit("Qwen/Qwen3-9B") == model.revision


def test_a_repository_has_its_files_config_and_tensors(server: ModelHub, hub: Hub) -> None:
    model = add_dense(server)
    repository = hub.repository("Qwen/Qwen3-9B")
    assert repository.model.revision == hub.commit("Qwen/Qwen3-9B") == model.revision
    sizes = {file.path: file.size_bytes for file in repository.weights}
    assert sizes.keys() == {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"}
    assert sum(size or 0 for size in sizes.values()) > 2 * 8_184_000_000
    assert hub.config(repository) == QWEN3_8B
    assert sum(tensor.parameters for tensor in hub.tensors(repository)) == repository.model.total_params
    assert not any("Range" in request for request in server.asked)


def test_only_files_that_decide_change_the_content(server: ModelHub, hub: Hub) -> None:
    model = add_dense(server)
    before = hub.repository(model.model_id)
    model.commit(**{"README.md": b"better words", "LICENSE": b"free", "figures/chart.png": b""})
    described = hub.repository(model.model_id)
    assert described.model.revision != before.model.revision
    assert described.content == before.content
    model.commit(**{"chat_template.jinja": b"{{ messages }}"})
    assert hub.repository(model.model_id).content != before.content


def test_an_older_revision_is_the_one_asked_for(server: ModelHub, hub: Hub) -> None:
    model = add_dense(server)
    gone = model.revision
    model.commit(**{"README.md": b"new"})
    one_line(HubRefused, "does not have it, or it is private", lambda: hub.repository(model.model_id, gone))


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_hub_in_trouble_is_asked_once(server: ModelHub, hub: Hub, status: int) -> None:
    server.faults["/api/models"] = status
    one_line(IndexUnreachable, f"answered {status}", lambda: hub.models("Qwen", "text-generation"))
    one_line(IndexUnreachable, f"answered {status}", lambda: hub.commit("Qwen/Qwen3-9B"))
    assert len(server.asked) == 2


def test_trouble_in_the_middle_of_a_list_is_no_short_list(server: ModelHub, hub: Hub) -> None:
    for number in range(5):
        add_dense(server, f"Qwen/Q-{number}")
    server.faults["cursor=4"] = 502
    one_line(IndexUnreachable, "answered 502", lambda: hub.models("Qwen", "text-generation"))


@pytest.mark.parametrize(
    "body",
    [
        b'[{"id": "Qwen/Q',
        b"<html>",
        b'{"error": "no"}',
        b"[1, 2]",
        b'[{"sha": null}]',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
    ids=["truncated", "html", "object", "numbers", "no-id", "deep", "no-text"],
)
def test_a_list_that_is_none_is_one_line(server: ModelHub, hub: Hub, body: bytes) -> None:
    server.faults["/api/models"] = body
    one_line(IndexUnreachable, "an answer that is not valid", lambda: hub.models("Qwen", "text-generation"))


def test_a_hub_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://user:secret@127.0.0.1:{closed.getsockname()[1]}"
        hub = Hub(Settings(home=tmp_path, hub_url=url))
        for call in (lambda: hub.models("Qwen", "text-generation"), lambda: hub.repository("Qwen/Q")):
            one_line(IndexUnreachable, "cannot be reached (ConnectError): try again later", call)


def test_a_hub_that_hangs_up_is_one_line(tmp_path: Path) -> None:
    import threading

    with socket.create_server(("127.0.0.1", 0)) as listening:

        def hang_up() -> None:
            connection, _ = listening.accept()
            connection.recv(1)
            connection.close()

        threading.Thread(target=hang_up, daemon=True).start()
        hub = Hub(Settings(home=tmp_path, hub_url=f"http://127.0.0.1:{listening.getsockname()[1]}"))
        one_line(IndexUnreachable, "cannot be reached", lambda: hub.models("Qwen", "text-generation"))


def test_offline_nobody_is_asked(server: ModelHub, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, hub_url=server.url, hub_offline=True)
    one_line(IndexUnreachable, "HF_HUB_OFFLINE", lambda: Hub(settings))
    assert server.asked == []


@pytest.mark.parametrize("token", [None, "hf_secret"], ids=["401", "403"])
def test_a_gated_model_says_what_to_do(
    server: ModelHub, hub: Hub, token: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if token is None:
        monkeypatch.delenv("HF_TOKEN")
    add_dense(server)
    server.gated.add("Qwen/Qwen3-9B")
    repository = hub.repository("Qwen/Qwen3-9B")
    one_line(HubRefused, "gated; accept its terms", lambda: hub.config(repository))


def test_what_is_not_there_is_refused(server: ModelHub, hub: Hub) -> None:
    one_line(HubRefused, "does not have it, or it is private", lambda: hub.repository("Qwen/none"))
    add_dense(server, "Qwen/bare", config=None, tensors={})
    bare = hub.repository("Qwen/bare")
    one_line(HubRefused, "no config.json", lambda: hub.config(bare))
    one_line(HubRefused, "no model*.safetensors", lambda: hub.tensors(bare))


@pytest.mark.parametrize(
    "config", [b'{"hidden_size": NaN}', b'{"a": Infinity}', b'{"a":', b"[]", b"\xff", b"[" * 100_000]
)
def test_a_config_that_is_none_is_refused(server: ModelHub, hub: Hub, config: bytes) -> None:
    add_dense(server, config=config)
    repository = hub.repository("Qwen/Qwen3-9B")
    one_line(HubRefused, "config.json is not", lambda: hub.config(repository))


def test_a_huge_config_is_not_even_fetched(server: ModelHub, hub: Hub) -> None:
    add_dense(server, config=b" " * ((1 << 20) + 1))
    repository = hub.repository("Qwen/Qwen3-9B")
    one_line(HubRefused, "config.json is too large: ", lambda: hub.config(repository))
    assert not any("resolve" in request for request in server.asked)


@pytest.mark.parametrize(
    "header", [b"", b"\xff" * 8, (5).to_bytes(8, "little") + b"{nope", (2).to_bytes(8, "little") + b"[]"]
)
def test_a_weight_file_that_is_none_is_one_line(server: ModelHub, hub: Hub, header: bytes) -> None:
    model = add_dense(server)
    model.files["model-00001-of-00002.safetensors"] = header
    repository = hub.repository(model.model_id)
    one_line(IndexUnreachable, "model-00001-of-00002.safetensors", lambda: hub.tensors(repository))


HOSTILE: list[dict[str, object]] = [
    {"id": "Qwen/../../etc/passwd"},
    {"id": "../.."},
    {"id": "Qwen/Qwen3\N{CYRILLIC SMALL LETTER A}"},
    {"id": "Qwen/" + "x" * 5000},
    {"id": "Qwen/line\nbreak \x1b[31m"},
    {"id": "Qwen/a b; rm -rf /"},
    {"id": 7},
    {"id": "Qwen/no-commit", "sha": "main; echo"},
    {"id": "Qwen/nan", "safetensors": {"total": float("nan"), "parameters": {}}},
    {"id": "Qwen/negative", "safetensors": {"total": -5, "parameters": {"BF16": -5}}},
    {"id": "google/not-theirs"},
]


def test_hostile_entries_cost_themselves_only(server: ModelHub, hub: Hub) -> None:
    add_dense(server)
    server.entries["Qwen"] = [{"sha": COMMIT, "tags": [], **entry} for entry in HOSTILE]
    found, unreadable = hub.models("Qwen", "text-generation")
    assert [model.model_id for model in found] == ["Qwen/Qwen3-9B"]
    assert len(unreadable) == len(HOSTILE)
    for line in unreadable:
        assert line.isprintable() and line.isascii() and len(line) < 250
        assert ": skipped, " in line


@pytest.mark.parametrize("model_id", ["../..", "Qwen/..", "a/b/c", "Qwen/\u0430", "x" * 200, "Qwen/a?b=c"])
def test_a_hostile_name_is_never_asked_for(server: ModelHub, hub: Hub, model_id: str) -> None:
    one_line(HubRefused, "not a valid name on a hub", lambda: hub.repository(model_id))
    assert server.asked == []


def test_a_renamed_model_is_said(server: ModelHub, hub: Hub) -> None:
    server.faults["/api/models/Qwen/Old"] = json.dumps({"id": "Qwen/New", "sha": COMMIT}).encode()
    one_line(HubRefused, "is now called Qwen/New", lambda: hub.repository("Qwen/Old"))


def test_another_refusal_has_its_number(server: ModelHub, hub: Hub) -> None:
    server.faults["/api/models"] = 403
    one_line(HubRefused, "answered 403; check HF_TOKEN", lambda: hub.models("Qwen", "text-generation"))
