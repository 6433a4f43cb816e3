"""The load itself against the mock server: concurrency, rates, stalls, stopping."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

import numpy as np
import pytest

from benchmark_tasks.catalog import LengthDistribution
from benchmark_tasks.client.arrivals import ClosedLoop, OpenLoop
from benchmark_tasks.client.connection import CANCELLED
from benchmark_tasks.client.events import Events
from benchmark_tasks.client.latency import latency_of
from benchmark_tasks.client.load import Load, LoadSpec, Progress
from benchmark_tasks.client.load_processes import run_in_processes
from benchmark_tasks.errors import LoadError
from benchmark_tasks.runtimes.server import free_port
from benchmark_tasks.vocabulary import LengthControl, Task
from benchmark_tasks.workloads.requests import SyntheticText


def lengths(tokens: int) -> LengthDistribution:
    return LengthDistribution(
        median_tokens=tokens, sigma=0, minimum_tokens=tokens, maximum_tokens=tokens, source="test"
    )


def requests(output_tokens: int = 20, path: str = "/v1/completions") -> SyntheticText:
    return SyntheticText(
        task=Task.LM_ARENA_CHAT,
        input_tokens=lengths(12),
        output_tokens=lengths(output_tokens),
        length_control=LengthControl.FIXED,
        vocabulary_size=8192,
        path=path,
    )


@contextmanager
def mock_process(*options: str) -> Iterator[tuple[str, subprocess.Popen]]:
    port = free_port()
    command = [sys.executable, "-m", "benchmark_tasks.testing.mock_server", f"--port={port}", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    try:
        assert "listening" in process.stdout.readline()
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.kill()
        process.wait(10)


@contextmanager
def mock_server(*options: str) -> Iterator[str]:
    with mock_process(*options) as (url, _):
        yield url


PING = b": ping\n\n"


@contextmanager
def streaming_server(events: Iterable[bytes], pause_seconds: float = 0.002) -> Iterator[str]:
    """Answers one request with these events, one HTTP chunk each; stops when the client has gone."""

    def answer() -> None:
        peer, _ = listener.accept()
        with peer, suppress(ConnectionError):
            peer.recv(1_000_000)
            peer.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for event in events:
                peer.sendall(b"%x\r\n%s\r\n" % (len(event), event))
                time.sleep(pause_seconds)
            peer.sendall(b"0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(10)
        assert not thread.is_alive()


def run(spec: LoadSpec) -> Events:
    outcome = asyncio.run(asyncio.wait_for(Load(spec).run(), 30))
    return Events.from_traces([(0, trace) for trace in outcome.traces])


def in_flight(events: Events) -> int:
    """The most requests that were in flight at one time."""
    changes = [(t, 1) for t in events.sent_seconds] + [(t, -1) for t in events.finished_seconds]
    return int(max(np.cumsum([change for _, change in sorted(changes)])))


@pytest.mark.parametrize("path", ["/v1/completions", "/v1/chat/completions"])
@pytest.mark.parametrize("per_chunk", [1, 3])
def test_closed_loop_keeps_its_concurrency_and_counts_every_token(path: str, per_chunk: int) -> None:
    with mock_server(f"--tokens-per-chunk={per_chunk}") as url:
        events = run(
            LoadSpec(url, requests(path=path), ClosedLoop(5, stationary_start=False), request_limit=40)
        )
    assert set(events.errors) == {None} and len(events.errors) == 40
    assert in_flight(events) == 5
    assert events.output_tokens.tolist() == [20] * 40
    assert set(events.prompt_tokens) == {12}


def test_each_slot_begins_in_the_middle_of_an_answer_and_goes_on_with_whole_ones() -> None:
    with mock_server() as url:
        events = run(LoadSpec(url, requests(), ClosedLoop(4), request_limit=12))
    assert events.under_way.tolist() == [True] * 4 + [False] * 8
    first, prompts = events.output_tokens[:4], events.prompt_tokens[:4]
    assert (first + prompts == 20 + 12).all(), "what is written already is in the prompt"
    assert len(set(first)) == 4 and np.ptp(first) >= 10, "ages are spread"
    assert set(events.output_tokens[4:]) == {20} and set(events.prompt_tokens[4:]) == {12}


def test_answers_that_end_by_themselves_cannot_begin_in_the_middle() -> None:
    natural = requests().model_copy(update={"length_control": LengthControl.NATURAL})
    with mock_server() as url:
        events = run(LoadSpec(url, natural, ClosedLoop(4), request_limit=8))
    assert not events.under_way.any() and set(events.prompt_tokens) == {12}


@pytest.mark.parametrize("burstiness", [1.0, 4.0])
def test_open_loop_sends_at_its_rate_whatever_is_in_flight(burstiness: float) -> None:
    gaps = list(zip(OpenLoop(50, burstiness).gaps_seconds(seed=1), range(5000), strict=False))
    values = np.array([gap for gap, _ in gaps])
    assert values.mean() == pytest.approx(1 / 50, rel=0.05)
    assert values.std() / values.mean() == pytest.approx(burstiness**-0.5, rel=0.05)
    with mock_server("--itl-ms=20") as url:  # an answer takes 0.4 s: closed loop would send 2.5 per second
        events = run(LoadSpec(url, requests(), OpenLoop(50, burstiness), request_limit=60))
    assert set(events.errors) == {None} and in_flight(events) > 8


@pytest.mark.parametrize("drain", [True, False])
def test_a_stopped_load_drains_or_cancels(drain: bool) -> None:
    with mock_server("--itl-ms=10") as url:
        spec = LoadSpec(url, requests(50), ClosedLoop(4, stationary_start=False), drain=drain)
        outcome = run_in_processes(spec, 1, lambda progress: progress.finished >= 4, 60)
    late = [error for error in outcome.events.errors if error == CANCELLED]
    assert len(late) == (0 if drain else 4)
    assert outcome.events.completed.sum() == len(outcome.events.errors) - len(late)
    assert 0 < outcome.stopped_seconds <= outcome.events.finished_seconds.max()


def test_processes_share_slots_and_requests_without_overlap() -> None:
    with mock_server() as url:
        outcome = run_in_processes(
            LoadSpec(url, requests(), ClosedLoop(6), request_limit=60), 3, lambda progress: False, 60
        )
    assert sorted(outcome.events.request_index.tolist()) == list(range(60))
    for process in range(3):
        mine = outcome.events.process == process
        assert set(outcome.events.slot[mine]) == {process, process + 3}
    assert outcome.client.processes == 3 and outcome.client.cpu_seconds > 0


def test_a_silent_stream_is_given_up() -> None:
    with mock_server("--fault=stalls", "--fault-after-tokens=5") as url:
        spec = LoadSpec(url, requests(), ClosedLoop(1), request_limit=1, stall_seconds=0.4)
        assert run(spec).errors == ("stalled for 0.4 s",)


@pytest.mark.parametrize("begun", [b"", b'data: {"choices":[{"text":"a"}]}\n\n'])
def test_a_stream_that_only_keeps_itself_alive_is_given_up(begun: bytes) -> None:
    with streaming_server(itertools.chain([begun or PING], itertools.repeat(PING))) as url:
        spec = LoadSpec(url, requests(), ClosedLoop(1), request_limit=1, stall_seconds=0.4)
        events = run(spec)
    assert events.errors == ("stalled for 0.4 s",) and events.output_tokens.sum() == len(begun[:1])
    assert events.rows()[0]["prompt_tokens"] is None, "the server did not say"


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_inter_token_latency_does_not_depend_on_line_ends(line_end: bytes) -> None:
    usage = b'data: {"choices":[{"text":"a"}],"usage":{"prompt_tokens":1,"completion_tokens":%d}}\n\n'
    answer = [*(usage % (total + 1) for total in range(20)), b"data: [DONE]\n\n"]
    with streaming_server([event.replace(b"\n", line_end) for event in answer]) as url:
        events = run(LoadSpec(url, requests(20), ClosedLoop(1, stationary_start=False), request_limit=1))
    assert events.errors == (None,) and events.chunk_tokens.tolist() == [1] * 20
    assert latency_of(events).itl_ms is not None


def test_a_server_that_stands_still_ends_the_load() -> None:
    with mock_process() as (url, server):

        def stop_the_server(progress: Progress) -> bool:
            if progress.tokens > 50:
                server.send_signal(signal.SIGSTOP)
            return False

        spec = LoadSpec(url, requests(2000), ClosedLoop(4), silence_seconds=0.5)
        with pytest.raises(LoadError, match=r"^no request got a token for 0.5 s: .* server.log$"):
            run_in_processes(spec, 2, stop_the_server, 60)


def test_a_request_that_starves_beside_others_fails_alone() -> None:
    with mock_server("--max-num-seqs=1") as url:  # the others wait
        spec = LoadSpec(
            url, requests(200), ClosedLoop(2, stationary_start=False), request_limit=2, stall_seconds=0.2
        )
        assert sorted(map(str, run(spec).errors)) == ["None", "stalled for 0.2 s"]


def test_a_server_that_takes_no_connection_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.socket() as first:
        first.connect(full.getsockname())  # the only place in its queue
        port = full.getsockname()[1]
        spec = LoadSpec(f"http://127.0.0.1:{port}", requests(), ClosedLoop(3), silence_seconds=0.4)
        assert "cannot connect: no answer within 0.4 s" in run(spec).errors


def test_an_answer_that_has_not_its_prescribed_length_has_failed() -> None:
    with mock_server("--fault=short-answers") as url:
        spec = LoadSpec(url, requests(20), ClosedLoop(1, stationary_start=False), request_limit=1)
        assert run(spec).errors == ("3 tokens came, but 20 were prescribed",)
        free = requests(20).model_copy(update={"length_control": LengthControl.NATURAL})
        assert run(LoadSpec(url, free, ClosedLoop(1), request_limit=1)).errors == (None,)


def test_a_server_that_is_not_there_stops_the_load() -> None:
    spec = LoadSpec(f"http://127.0.0.1:{free_port()}", requests(), ClosedLoop(3))
    errors = run(spec).errors
    assert len(errors) == 3 and all("cannot connect" in error for error in errors)


def test_a_broken_request_set_is_reported_not_hung() -> None:
    broken = requests().model_copy(update={"vocabulary_size": 100})
    with mock_server() as url, pytest.raises(LoadError, match="process 0 failed: ValueError"):
        run_in_processes(LoadSpec(url, broken, ClosedLoop(1)), 1, lambda progress: False, 30)
