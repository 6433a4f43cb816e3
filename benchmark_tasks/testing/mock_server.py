"""An OpenAI-compatible streaming server that generates nothing, fast.

    python -m benchmark_tasks.testing.mock_server --port 8000 --itl-ms 5

Works the way an engine with continuous batching does: in every step each running answer gets one
chunk. Speaks as much of vLLM's HTTP surface as the measuring core uses (`/health`, `/metrics`,
`/v1/completions`, `/v1/chat/completions`), takes vLLM's options and ignores those it does not know,
can sleep, and can misbehave on demand (`--fault`). In a chat it says
what comes after `Say: `. A contract test holds it to the real server.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import os
import ssl
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import httptools
import orjson
import uvloop
import yaml

from benchmark_tasks.stand_in.support import VERSION, report_line
from benchmark_tasks.testing.mock_streams import LAST_CHUNK, Stream, chunk, chunks_of

_STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_BACKLOG_BYTES = 65_536
_SLEEP_PATHS = ("/sleep", "/wake_up", "/is_sleeping", "/collective_rpc")

_DRAWN = {
    "recipe": VERSION,
    "seed": 0,
    "digest": hashlib.sha256(b"nothing").hexdigest(),
    "tensors": 0,
    "values": 0,
    "device": "none",
    "seconds": 0.0,
}
"""The report on stand-in weights; this server has no weights."""


class Fault(StrEnum):
    """How the server can misbehave; `--fault-after-tokens` says when they do, where that is a moment.

    `RESTARTS`: once, at the same address and at once: its connections break, its counters begin anew.
    `METRICS_GAP`: one answer of `/metrics` is an error.
    `STALE_GAUGE` is what vLLM does: a step that serves nobody any more is not shown in its gauges.
    `NO_ABORT`: it goes on with answers whose clients have gone. `CLOSES_IDLE`: it closes a connection after
    each answer and does not say so before. `DOUBLE_COUNTER`: it counts every generated token twice.
    `STUMBLES`: once, every step takes five times as long for `--stumble-seconds`.
    `NO_SLEEP`: it answers as if it went to sleep, and stays awake. `NO_WAKE`: waking it is an error.
    """

    NONE = "none"
    NEVER_HEALTHY = "never-healthy"
    DIES_AT_START = "dies-at-start"
    OUT_OF_MEMORY = "out-of-memory"
    HTTP_500 = "http-500"
    DIES_AFTER_TOKENS = "dies-after-tokens"
    ERROR_IN_STREAM = "error-in-stream"
    STALLS = "stalls"
    RESTARTS = "restarts"
    METRICS_GAP = "metrics-gap"
    NO_CACHE_COUNTERS = "no-cache-counters"
    STALE_GAUGE = "stale-gauge"
    SHORT_ANSWERS = "short-answers"
    NO_ABORT = "no-abort"
    CLOSES_IDLE = "closes-idle"
    NO_TOKEN_COUNTER = "no-token-counter"
    DOUBLE_COUNTER = "double-counter"
    STUMBLES = "stumbles"
    NO_SLEEP = "no-sleep"
    NO_WAKE = "no-wake"
    NO_SLEEP_ENDPOINTS = "no-sleep-endpoints"


@dataclass
class Answer:
    """One answer being streamed: what is left to send, and where to. Times are `time.perf_counter`."""

    transport: asyncio.Transport
    chunks: tuple[bytes, ...]
    tokens: int
    per_chunk: int
    arrived: float
    prepared: float
    not_before: float
    send_times: list[int] | None
    admitted: float = 0.0
    sent: int = 0

    goes_on: bool = False

    def step(self) -> int:
        """Send the next chunk, unless the client has gone; how many tokens that was."""
        gone = self.transport.is_closing()
        if gone and not self.goes_on:
            return 0
        if self.transport.get_write_buffer_size() > _BACKLOG_BYTES:
            return 0  # the client does not keep up: wait for it, as a real server would
        if self.send_times is not None:
            self.send_times.append(time.perf_counter_ns())
        if not gone:
            self.transport.write(self.chunks[self.sent])
        self.sent += 1
        return self.per_chunk if self.sent < len(self.chunks) else self._tokens_of_last

    @property
    def ended(self) -> bool:
        """Whether it is complete, or its client has gone."""
        gone = self.transport.is_closing() and not self.goes_on
        return gone or self.sent == len(self.chunks)

    @property
    def _tokens_of_last(self) -> int:
        return self.tokens - self.per_chunk * (len(self.chunks) - 1)


@dataclass
class Clocks:
    """What vLLM's histograms of request times hold: sums in seconds, and counts."""

    finished: int = 0
    request: float = 0.0
    queue: float = 0.0
    inference: float = 0.0

    def end_of(self, answer: Answer, now: float) -> None:
        """A request has ended: only now does vLLM report its times."""
        self.finished += 1
        self.request += now - answer.arrived
        self.queue += answer.admitted - answer.prepared
        self.inference += now - answer.admitted


@dataclass
class Engine:
    """Runs at most `max_num_seqs` answers at a time, one chunk each in every step."""

    options: argparse.Namespace
    running: list[Answer] = field(default_factory=list)
    shown_running: int = 0
    waiting: deque[Answer] = field(default_factory=deque)
    generated: int = 0
    drafts: int = 0
    accepted: int = 0
    clocks: Clocks = field(default_factory=Clocks)
    prefix_cache_hits: int = 0
    items_seen: set[bytes] = field(default_factory=set)
    multimodal_cache_hits: int = 0
    send_times: dict[str, list[int]] = field(default_factory=dict)
    stumbles_until: float = 0.0
    asleep: bool = False
    weights_gone: bool = False

    async def run(self) -> None:
        """Step without end, every `--itl-ms`; with 0, as fast as the clients read."""
        period, due = self.options.itl_ms / 1000, time.perf_counter()
        while True:
            now, idle = time.perf_counter(), not (self.running or self.waiting)
            due = now if idle else max(due + period * self._slowness(), now - period)
            await asyncio.sleep(0.001 if idle else max(due - now, 0))
            self._step(time.perf_counter())

    def _slowness(self) -> int:
        """How many times as long as usual a step takes."""
        if self.options.fault != Fault.STUMBLES or not self.is_due():
            return 1
        self.stumbles_until = self.stumbles_until or time.perf_counter() + self.options.stumble_seconds
        return 5 if time.perf_counter() < self.stumbles_until else 1

    def metrics(self) -> bytes:
        """The gauges and counters the measuring core reads, in Prometheus' text format."""
        share = len(self.running) / max(1, self.options.max_num_seqs)
        lines = (
            f'vllm:num_requests_running{{engine="0"}} {self.shown_running}\n'
            f'vllm:generation_tokens_total{{engine="0"}} {self._told_tokens()}\n'
            f'vllm:num_requests_waiting{{engine="0"}} {len(self.waiting)}\n'
            f'vllm:kv_cache_usage_perc{{engine="0"}} {share:.4f}\n'
            'vllm:num_preemptions_total{engine="0"} 0\n'
            f'vllm:prefix_cache_hits_total{{engine="0"}} {self.prefix_cache_hits}\n'
            f'vllm:mm_cache_hits_total{{engine="0"}} {self.multimodal_cache_hits}\n'
            f'vllm:e2e_request_latency_seconds_count{{engine="0"}} {self.clocks.finished}\n'
            f'vllm:e2e_request_latency_seconds_sum{{engine="0"}} {self.clocks.request}\n'
            f'vllm:request_queue_time_seconds_sum{{engine="0"}} {self.clocks.queue}\n'
            f'vllm:request_inference_time_seconds_sum{{engine="0"}} {self.clocks.inference}\n'
        )
        if self.options.speculative_config is not None:
            lines += (
                f'vllm:spec_decode_num_drafts_total{{engine="0"}} {self.drafts}\n'
                f'vllm:spec_decode_num_accepted_tokens_total{{engine="0"}} {self.accepted}\n'
            )
        for renamed in self.options.rename_metric:
            ours, theirs = renamed.split("=")
            lines = lines.replace(ours, theirs)
        missing = {Fault.NO_CACHE_COUNTERS: "cache_hits", Fault.NO_TOKEN_COUNTER: "generation_tokens"}
        if left_out := missing.get(self.options.fault):
            lines = "\n".join(line for line in lines.splitlines() if left_out not in line)
        return lines.encode()

    def _told_tokens(self) -> int:
        return self.generated * (2 if self.options.fault == Fault.DOUBLE_COUNTER else 1)

    def _step(self, now: float) -> None:
        while self._admits(now):
            self.waiting[0].admitted = now
            self.running.append(self.waiting.popleft())
        if self.is_due() and self._misbehave():
            return
        steps = [answer.step() for answer in self.running if now >= answer.not_before]
        self.generated += sum(steps)
        self.drafts += sum(tokens > 0 for tokens in steps)
        self.accepted += sum(max(tokens - 1, 0) for tokens in steps)
        served = not all(answer.transport.is_closing() for answer in self.running)
        for answer in [answer for answer in self.running if answer.ended]:
            self.running.remove(answer)
            self.clocks.end_of(answer, now)
            self.prefix_cache_hits += self.options.prefix_cache_hits
            if self.options.fault == Fault.CLOSES_IDLE:
                answer.transport.close()
        if served or self.options.fault != Fault.STALE_GAUGE:
            self.shown_running = len(self.running)

    @property
    def can_sleep(self) -> bool:
        """Whether it has the endpoints, as vLLM does with this option and its development mode."""
        told = self.options.enable_sleep_mode and os.environ.get("VLLM_SERVER_DEV_MODE") == "1"
        return bool(told) and self.options.fault != Fault.NO_SLEEP_ENDPOINTS

    def told_to_sleep(self, url: str, body: bytes) -> tuple[int, bytes]:
        """(status, body) of the answer to a request that puts it to sleep, wakes it, or asks.

        With its weights thrown away (level 2) it is awake only after they were read again.
        """
        if self.options.fault == Fault.NO_WAKE and url.startswith("/wake_up"):
            return 500, b"mock failure"
        if url.startswith("/sleep") and self.options.fault != Fault.NO_SLEEP:
            self.asleep, self.weights_gone = True, url.endswith("level=2")
        elif url.startswith("/collective_rpc") and orjson.loads(body) == {"method": "reload_weights"}:
            self.weights_gone = False
        elif url.startswith("/wake_up") and not url.endswith("tags=weights"):
            self.asleep = self.weights_gone
        return 200, orjson.dumps({"is_sleeping": self.asleep})

    def is_due(self) -> bool:
        """Whether the fault's time has come."""
        return bool(self.generated >= self.options.fault_after_tokens)

    def _admits(self, now: float) -> bool:
        room = len(self.running) < self.options.max_num_seqs and not self.asleep
        return bool(self.waiting) and room and now >= self.waiting[0].prepared

    def look_at(self, items: list[bytes]) -> None:
        """Decode items as a server must, and count those that its cache would have had.

        Raises:
            ValueError: an item is no data URL.
        """
        for item in items:
            kind, comma, content = item.partition(b",")
            if not comma or not kind.startswith(b"data:"):
                raise ValueError("an item is no data URL")
            for part in content.split(b","):
                base64.b64decode(part, validate=True)
            digest = hashlib.sha256(item).digest()
            if self.options.mm_processor_cache_gb > 0:
                self.multimodal_cache_hits += digest in self.items_seen
                self.items_seen.add(digest)

    def _misbehave(self) -> bool:
        """Apply the fault that was asked for; True when no step is to be made."""
        match self.options.fault:
            case Fault.DIES_AFTER_TOKENS:
                print("mock server: dying as asked", flush=True)
                os._exit(1)
            case Fault.STALLS:
                return True
            case Fault.ERROR_IN_STREAM:
                for answer in self.running:
                    if answer.transport.is_closing():
                        continue
                    error = chunk(b'data: {"error":{"message":"mock error"}}\n\n')
                    answer.transport.write(error + LAST_CHUNK)
                self.running.clear()
                return True
            case Fault.RESTARTS:
                self.options.fault = Fault.NONE
                for answer in (*self.running, *self.waiting):
                    answer.transport.abort()
                self.running.clear()
                self.waiting.clear()
                self.generated, self.clocks = 0, Clocks()
                self.prefix_cache_hits = self.multimodal_cache_hits = 0
                return True
        return False


class _Connection(asyncio.Protocol):
    """One client connection: parses requests, hands answers to the engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reset()

    def _reset(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._body = bytearray()
        self._request_id = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._url = url

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"x-request-id":
            self._request_id = value.decode()

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        url, body, request_id = self._url.decode(), bytes(self._body), self._request_id
        self._reset()
        engine = self._engine
        match url:
            case "/health":
                self._reply(503 if engine.options.fault == Fault.NEVER_HEALTHY else 200, b"")
            case "/metrics" if engine.options.fault == Fault.METRICS_GAP and engine.is_due():
                engine.options.fault = Fault.NONE
                self._reply(503, b"busy")
            case "/metrics":
                self._reply(200, engine.metrics())
            case "/version":
                self._reply(200, orjson.dumps({"version": engine.options.version}))
            case "/v1/models":
                name = engine.options.served_model_name
                self._reply(200, orjson.dumps({"object": "list", "data": [{"id": name, "root": name}]}))
            case _ if engine.can_sleep and url.startswith(_SLEEP_PATHS):
                self._later(engine.options.sleep_ms / 1000, *engine.told_to_sleep(url, body))
            case "/mock/send-times":
                self._reply(200, orjson.dumps(engine.send_times))
            case "/v1/completions" | "/v1/chat/completions" if engine.options.fault == Fault.HTTP_500:
                self._reply(500, b'{"error":{"message":"mock failure"}}')
            case "/v1/completions" | "/v1/chat/completions":
                self._answer(orjson.loads(body), request_id, chat="chat" in url)
            case _:
                self._reply(404, b"no such path")

    def _later(self, seconds: float, status: int, body: bytes) -> None:
        """Reply after so many seconds: weights take their time."""
        asyncio.get_running_loop().call_later(seconds, self._reply, status, body)

    def _reply(self, status: int, body: bytes) -> None:
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nContent-Type: text/plain\r\n\r\n"
        self._transport.write(head.encode() + body)

    def _answer(self, request: dict, request_id: str, *, chat: bool) -> None:
        engine, options = self._engine, self._engine.options
        items = _items(request.get("messages", ()))
        try:
            engine.look_at(items)
        except ValueError as error:
            self._reply(400, orjson.dumps({"error": {"message": str(error)}}))
            return
        length = int(request.get("max_completion_tokens") or request.get("max_tokens") or 16)
        words = () if request.get("ignore_eos") else _told_to_say(request.get("messages", ()))
        if options.fault == Fault.SHORT_ANSWERS:
            length = min(length, 3)
        length = min(length, len(words)) if words else length
        prompt_tokens = len(request.get("prompt", request.get("messages", "")))
        name = request_id or str(request.get("user", ""))
        self._transport.write(_STREAM_HEAD)
        arrived = time.perf_counter()
        prepared = arrived + len(items) * options.item_ms / 1000
        engine.waiting.append(
            Answer(
                self._transport,
                chunks_of(
                    length, options.tokens_per_chunk, prompt_tokens, chat, Stream(options.stream), words
                ),
                length,
                options.tokens_per_chunk,
                arrived,
                prepared,
                prepared + options.ttft_ms / 1000,
                engine.send_times.setdefault(name, []) if name else None,
                goes_on=options.fault == Fault.NO_ABORT,
            )
        )


def _told_to_say(messages: list[dict]) -> tuple[str, ...]:
    """The words after `Say: ` in the last question of a chat: its answer has these and ends by itself."""
    last = messages[-1]["content"] if messages else ""
    return tuple(last.partition("Say: ")[2].split()) if isinstance(last, str) else ()


def _items(messages: list[dict]) -> list[bytes]:
    """Data URLs of the pictures, clips and recordings of a chat."""
    contents = [message["content"] for message in messages if isinstance(message["content"], list)]
    parts = [part for content in contents for part in content if part["type"] != "text"]
    return [part[part["type"]]["url"].encode() for part in parts]


def parse_options(arguments: list[str]) -> argparse.Namespace:
    """vLLM's options that matter here, and the mock's own; unknown ones are ignored."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--max-num-seqs", type=int, default=1024)
    parser.add_argument("--served-model-name", default="measured")
    parser.add_argument("--version", default="0.0.1", help="what it says it is")
    parser.add_argument("--prefix-cache-hits", type=int, default=0, help="hits claimed for every answer")
    parser.add_argument("--mm-processor-cache-gb", type=float, default=4.0)
    parser.add_argument("--item-ms", type=float, default=3.0, help="time to prepare a picture or a clip")
    parser.add_argument(
        "--rename-metric", action="append", default=[], help="vllm:NAME=other:NAME, for another runtime"
    )
    parser.add_argument("--enable-sleep-mode", action="store_true")
    lasts = float(os.environ.get("JOULEBOARD_MOCK_SLEEP_MS", "0"))
    parser.add_argument("--sleep-ms", type=float, default=lasts, help="to fall asleep, and to wake")
    parser.add_argument("--load-format", default="auto", help="stand-in: report weights as our plugin does")
    parser.add_argument("--ssl-certfile", help="speak https with this certificate, and --ssl-keyfile")
    parser.add_argument("--ssl-keyfile")
    parser.add_argument("--ttft-ms", type=float, default=5.0)
    parser.add_argument("--itl-ms", type=float, default=2.0, help="0: as fast as the clients read")
    parser.add_argument("--tokens-per-chunk", type=int, default=1)
    parser.add_argument("--speculative-config", help="all tokens of a chunk but the first were drafted")
    parser.add_argument("--fault", choices=[*Fault], default=os.environ.get("JOULEBOARD_MOCK_FAULT", "none"))
    usual = os.environ.get("JOULEBOARD_MOCK_STREAM", Stream.USUAL)
    parser.add_argument("--stream", choices=[*Stream], default=usual, help="how it writes its answers")
    parser.add_argument("--fault-after-tokens", type=int, default=200)
    parser.add_argument("--stumble-seconds", type=float, default=0.6)
    fits = int(os.environ.get("JOULEBOARD_MOCK_FITS", "0"))
    parser.add_argument("--fits", type=int, default=fits, help="up to here `out-of-memory` does not happen")
    parser.add_argument("--config", type=Path, help="file of options, of which it reads speculative_config")
    options = parser.parse_known_args(arguments)[0]
    if options.config is not None and options.speculative_config is None:
        options.speculative_config = yaml.safe_load(options.config.read_text()).get("speculative_config")
    return options


async def serve(options: argparse.Namespace) -> None:
    """Serve until cancelled."""
    engine = Engine(options)
    loop = asyncio.get_running_loop()
    security = None
    if options.ssl_certfile:
        security = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        security.load_cert_chain(options.ssl_certfile, options.ssl_keyfile)
    listener = await loop.create_server(
        lambda: _Connection(engine), options.host, options.port, backlog=4096, ssl=security
    )
    print(f"mock server: listening on {options.host}:{options.port}", flush=True)
    async with listener:
        await engine.run()


def main() -> None:
    """Command line."""
    options = parse_options(sys.argv[1:])
    if options.fault == Fault.DIES_AT_START:
        sys.exit("mock server: refusing to start, as asked")
    if options.fault == Fault.OUT_OF_MEMORY and options.max_num_seqs > options.fits:
        sys.exit("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.")
    if options.load_format == "stand-in":
        print(report_line(_DRAWN), file=sys.stderr, flush=True)
    uvloop.run(serve(options))


if __name__ == "__main__":
    main()
