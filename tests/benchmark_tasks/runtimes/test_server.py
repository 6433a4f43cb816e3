"""A server that cannot be used says why in one line, and nothing of it stays."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import orjson
import psutil
import pytest

from benchmark_tasks.errors import OutOfMemory, PortInUse, ServerDied, ServerError, ServerNeverHealthy
from benchmark_tasks.results.tables import Series
from benchmark_tasks.runtimes import server as server_module
from benchmark_tasks.runtimes.kinds import kind_of
from benchmark_tasks.runtimes.server import RunningServer, ServerSpec, free_port, serve
from benchmark_tasks.runtimes.server_options import flags
from benchmark_tasks.testing.waiting import until


def mock(
    tmp_path: Path, fault: str = "none", port: int | None = None, start_seconds: float = 30.0
) -> ServerSpec:
    port = port or free_port()
    command = (
        sys.executable,
        "-m",
        "benchmark_tasks.testing.mock_server",
        f"--port={port}",
        f"--fault={fault}",
    )
    return ServerSpec(
        kind_of("vllm").server, command, dict(os.environ), port, tmp_path / "server.log", start_seconds
    )


def test_a_healthy_server_answers_and_is_gone_afterwards(tmp_path: Path) -> None:
    with serve(mock(tmp_path)) as server:
        assert {r.series for r in server.read_metrics()} >= {Series.RUNNING_REQUESTS, Series.KV_CACHE_USAGE}
        server.wait_until_idle()
        tree = psutil.Process(server.process.pid).children(recursive=True)
        assert tree
    assert not any(process.is_running() for process in tree)


@contextlib.contextmanager
def asking(server: RunningServer, answers: int) -> Iterator[None]:
    """Requests that would last for minutes, cancelled all at once on leaving."""
    body = orjson.dumps({"max_tokens": 100_000, "stream": True})
    url = urlsplit(server.base_url)
    head = b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    with contextlib.ExitStack() as stack:
        for _ in range(answers):
            peer = stack.enter_context(socket.create_connection((url.hostname, url.port or 0)))
            peer.sendall(head + body)
            assert peer.recv(1000)
        until(lambda: server.running_requests(0.0) == answers, what="the server saying that it runs them")
        yield


@pytest.mark.parametrize("fault", ["none", "stale-gauge"])
def test_it_is_idle_once_all_its_requests_were_cancelled(tmp_path: Path, fault: str) -> None:
    """vLLM's gauge stays at the last step that served somebody: found at batch 256 on a real GPU."""
    with serve(mock(tmp_path, fault)) as server:
        with asking(server, 3):
            assert server.running_requests(4.0) == 3, "a standing gauge with growing counters is work"
        server.wait_until_idle()
        shown = {r.series: r.value for r in server.read_metrics()}[Series.RUNNING_REQUESTS]
        assert (shown > 0) == (fault == "stale-gauge")


def test_one_answer_that_it_owes_is_asked_for_again(tmp_path: Path) -> None:
    spec = mock(tmp_path, "metrics-gap")
    spec = replace(spec, command=(*spec.command, "--fault-after-tokens=0"))
    with serve(spec) as server, pytest.raises(ServerDied, match=r"stopped answering: .*503"):
        server.running_requests(0.0)
    with serve(spec) as server:
        server.wait_until_idle()


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        ("dies-at-start", ServerDied, "ended while starting: mock server: refusing to start, as asked"),
        ("out-of-memory", OutOfMemory, "does not fit: .*CUDA out of memory"),
        ("never-healthy", ServerNeverHealthy, "not healthy within 1.5 s .*listening on .*raise the limit"),
    ],
)
def test_a_server_that_does_not_start_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, error: type[ServerError], message: str
) -> None:
    log = tmp_path / "server.log"

    def clock() -> float:
        """Stands still until the server listens, however long this machine takes to start it."""
        return 1000.0 if log.exists() and "listening on" in log.read_text() else 0.0

    monkeypatch.setattr(server_module, "time", SimpleNamespace(monotonic=clock, sleep=time.sleep))
    with pytest.raises(error, match=message) as caught, serve(mock(tmp_path, fault, start_seconds=1.5)):
        pass
    assert "\n" not in str(caught.value) and caught.value.log_tail
    living = [p for p in psutil.Process().children(recursive=True) if p.status() != psutil.STATUS_ZOMBIE]
    assert not [p for p in living if "mock_server" in " ".join(p.cmdline())]


def test_a_port_in_use_is_found_before_anything_is_started(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(PortInUse, match=f"port {port} is in use"), serve(mock(tmp_path, port=port)):
            pass
    assert not (tmp_path / "server.log").exists()


def test_options_become_one_argument_each_whatever_they_contain() -> None:
    hostile = "x; rm -rf / $(id) --trust-remote-code"
    options = {
        "max_model_len": 1024,
        "enforce_eager": True,
        "prefix": False,
        "none": None,
        "revision": hostile,
    }
    assert flags(options) == [
        "--max-model-len=1024",
        "--enforce-eager",
        "--no-prefix",
        f"--revision={hostile}",
    ]


def test_what_a_runtime_finds_wrong_with_its_options_is_said_and_not_only_that_something_is(
    tmp_path: Path,
) -> None:
    """As vLLM 0.32 ends without a GPU."""
    log = tmp_path / "server.log"
    log.write_text(
        "pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig\n"
        "  Value error, Sleep mode is not supported on current platform. [type=value_error, input_type=A]\n"
        "    For further information visit https://errors.pydantic.dev/2.12/v/value_error\n"
    )
    assert str(server_module.death(log, "it ended")) == (
        "it ended: Sleep mode is not supported on current platform."
    )
