"""Endpoints that answer oddly: refused with one line, in time, and never measured as another model."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmark_tasks.deadlines import MOST_LATE, within
from benchmark_tasks.errors import ServerError
from benchmark_tasks.runtimes import endpoint, server
from benchmark_tasks.runtimes.launch import AtEndpoint
from benchmark_tasks.testing.quick import quick_sweep

WANTED = "jouleboard/qwen3-tiny"
METRICS = b'vllm:num_requests_running{engine="0"} 0\nvllm:generation_tokens_total{engine="0"} 7\n'


@dataclass
class Odd:
    """answers: body by path. dripping: paths whose answer begins, goes on, and never ends."""

    url: str = ""
    answers: dict[str, bytes] = field(default_factory=dict)
    dripping: set[str] = field(default_factory=set)


@pytest.fixture
def odd() -> Iterator[Odd]:
    state, ended = Odd(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            while self.path in state.dripping and not ended.wait(0.05):
                self.wfile.write(b" ")
            self.wfile.write(state.answers[self.path])

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        state.url = f"http://127.0.0.1:{listening.server_port}"
        state.answers = {
            "/version": b'{"version": "0.32.0"}',
            "/v1/models": models({"id": WANTED}),
            "/metrics": METRICS,
        }
        threading.Thread(target=listening.serve_forever, args=(0.02,), daemon=True).start()
        yield state
        ended.set()
        listening.shutdown()


def models(*entries: object) -> bytes:
    return json.dumps({"data": entries}).encode()


def look(odd: Odd) -> endpoint.Endpoint:
    return endpoint.look_at(AtEndpoint(url=odd.url), quick_sweep(runtime_version="0.32.0"), lambda line: None)


@pytest.mark.parametrize("path", ["/version", "/v1/models", "/metrics"])
def test_an_answer_that_never_ends_is_one_line(odd: Odd, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setattr(server, "HTTP_SECONDS", 0.5)
    monkeypatch.setattr(endpoint, "REST_SECONDS", 0.5)
    odd.dripping = {path}
    with pytest.raises(ServerError, match="does not answer"):
        look(odd)


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{}",
        b"null",
        b'{"data": null}',
        b'{"data": {}}',
        b'{"data": []}',
        models(None),
        models([]),
        models({}),
        models({"id": None}),
        models({"id": 7}),
        models({"id": " "}),
        b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"data": [{"id": "\\ud800"}]}',
        b'{"data": [{"id": "a", "root": "\\udfff"}]}',
        b"\xff\xfe",
    ],
    ids=lambda body: body[:30].decode(errors="replace"),
)
def test_a_list_of_models_that_is_none_is_one_line(odd: Odd, body: bytes) -> None:
    odd.answers["/v1/models"] = body
    with pytest.raises(ServerError) as caught:
        look(odd)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("page", [b"", b"<html>Sign in</html>", b"python_info 1\n"])
def test_a_page_without_the_server_s_metrics_does_not_say_that_it_is_idle(
    odd: Odd, monkeypatch: pytest.MonkeyPatch, page: bytes
) -> None:
    monkeypatch.setattr(server, "STANDSTILL_SECONDS", 0.2)
    odd.answers["/metrics"] = page
    with pytest.raises(ServerError, match="nobody can tell whether it is idle"):
        look(odd)


@pytest.mark.parametrize("version", ["1" * 5000, "main", ""])
def test_a_version_that_is_none_is_one_short_line(odd: Odd, version: str) -> None:
    odd.answers["/version"] = json.dumps({"version": version}).encode()
    with pytest.raises(ServerError, match="says its version is") as caught:
        look(odd)
    assert len(str(caught.value)) < 300


def test_an_answer_without_end_fills_no_memory(odd: Odd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST_BYTES", 1 << 20)
    odd.answers["/v1/models"] = b" " * (2 << 20)
    with pytest.raises(ServerError, match="an answer of more than 1 MiB"):
        look(odd)


def test_of_several_models_the_named_one_is_measured(odd: Odd) -> None:
    adapter, served = {"id": "adapter", "root": "/a"}, {"id": "short", "root": WANTED}
    for entries in ((adapter, served), (served, adapter), (adapter, {"id": WANTED, "root": "/b"}, served)):
        odd.answers["/v1/models"] = models(*entries)
        chosen = look(odd).served_model_name
        assert chosen == (WANTED if len(entries) == 3 else "short")
    odd.answers["/v1/models"] = models(adapter, {"id": "other"})
    with pytest.raises(
        ServerError, match=f"serves adapter, other, and none is called {WANTED}: start it with"
    ):
        look(odd)
    alone: tuple[tuple[dict[str, str | None], ...], ...] = (
        ({"id": "other", "root": None},),
        (
            {"id": "other", "root": "/srv/weights"},
            {"id": "gpt-4", "root": "/srv/weights"},
        ),  # two names of one
        ({"id": "other", "root": "/w"}, {"id": "adapter", "root": "/a", "parent": "other"}),
        ({"object": "model"}, {"id": "other"}),
    )
    for listed in alone:
        odd.answers["/v1/models"] = models(*listed)
        assert look(odd).served_model_name == "other"
    odd.answers["/v1/models"] = models(None, {"id": WANTED})
    assert look(odd).served_model_name == WANTED


def test_what_a_call_returns_or_raises_comes_back_and_a_long_one_is_left() -> None:
    assert within(5, lambda: 7, "a") == 7
    with pytest.raises(ValueError, match="invalid literal"):
        within(5, lambda: int("no"), "a")
    ended, begun = threading.Event(), []

    def late() -> bool:
        begun.append(threading.current_thread())
        return ended.wait(60)

    for _ in range(MOST_LATE):
        with pytest.raises(TimeoutError, match=r"no whole answer within 0.05 s"):
            within(0.05, late, "a")
    with pytest.raises(TimeoutError, match="4 earlier answers have not ended"):
        within(0.05, late, "a")
    assert len(begun) == MOST_LATE and within(5, lambda: 7, "b") == 7
    ended.set()
    for thread in begun:
        thread.join(10)
    assert within(5, lambda: 7, "a") == 7
