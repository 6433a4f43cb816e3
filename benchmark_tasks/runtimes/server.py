"""A model server as a context manager: started, healthy, and gone afterwards whatever happens."""

from __future__ import annotations

import contextlib
import math
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from benchmark_tasks.errors import OutOfMemory, PortInUse, ServerDied, ServerNeverHealthy
from benchmark_tasks.meters.meter import Reading
from benchmark_tasks.results.schema import new_run_id
from benchmark_tasks.results.tables import Series
from benchmark_tasks.runtimes.cpu import cpu_seconds
from benchmark_tasks.runtimes.process import guarded, log_tail

POLL_SECONDS = 0.25
HTTP_SECONDS = 5.0
QUIET_SECONDS = 60.0
STANDSTILL_SECONDS = 3.0
"""vLLM's gauges show its last step that served somebody, also when all was cancelled since."""

_OUT_OF_MEMORY = re.compile(
    r"CUDA out of memory|OutOfMemoryError|No available memory for the cache blocks|"
    r"larger than the available KV cache memory|less than desired GPU memory utilization|"
    r"DefaultCPUAllocator: can't allocate memory",
)

_METRICS = {
    "vllm:num_requests_running": Series.RUNNING_REQUESTS,
    "vllm:num_requests_waiting": Series.WAITING_REQUESTS,
    "vllm:kv_cache_usage_perc": Series.KV_CACHE_USAGE,
    "vllm:num_preemptions_total": Series.PREEMPTIONS,
    "vllm:prefix_cache_hits_total": Series.PREFIX_CACHE_HITS,
    "vllm:mm_cache_hits_total": Series.MULTIMODAL_CACHE_HITS,
    # Of requests that have ended: all are counted at that moment.
    "vllm:e2e_request_latency_seconds_count": Series.FINISHED_REQUESTS,
    "vllm:e2e_request_latency_seconds_sum": Series.REQUEST_SECONDS,
    "vllm:request_queue_time_seconds_sum": Series.QUEUE_SECONDS,
    "vllm:request_inference_time_seconds_sum": Series.INFERENCE_SECONDS,
}


_TOKENS = re.compile(r"vllm:(prompt|generation)_tokens_total[{ ]")


@dataclass(frozen=True)
class ServerSpec:
    """What to start. `command` is a list and never meets a shell."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    port: int
    log: Path
    start_seconds: float


@dataclass(frozen=True)
class RunningServer:
    """A healthy server.

    start_seconds: how long it took to become so.
    process: what was started; `None` where somebody else runs it.
    local: whether that is the server itself, and not what only talks to it.
    """

    session_id: str
    base_url: str
    command: tuple[str, ...]
    log: Path
    start_seconds: float
    process: subprocess.Popen[bytes] | None
    local: bool = True

    def raise_if_dead(self) -> None:
        """
        Raises:
            ServerDied: the process has ended; carries the log's last lines.
        """
        if self.process is not None and self.process.poll() is not None:
            raise death(self.log, "the model server died during the measurement")

    def read_metrics(self) -> list[Reading]:
        """Gauges and counters of `/metrics`, summed over engines, and the CPU time of its processes."""
        body = get(f"{self.base_url}/metrics")
        return parse_metrics(body.decode(errors="replace"), time.perf_counter_ns()) + self._read_cpu()

    def _read_cpu(self) -> list[Reading]:
        spent = cpu_seconds(self.process.pid) if self.process is not None and self.local else None
        if spent is None:
            return []
        named = zip((Series.SERVER_CPU_SECONDS, Series.FRONTEND_CPU_SECONDS), spent, strict=True)
        at_ns = time.perf_counter_ns()
        return [Reading(series, None, at_ns, value) for series, value in named if value is not None]

    def running_requests(self, seconds: float = QUIET_SECONDS) -> float:
        """How many requests the server runs: 0 as soon as it says so or its token counters stand still.

        Args:
            seconds: how long it may take to come to rest, or to answer.

        Raises:
            ServerDied: it ended, or does not answer any more.
        """
        deadline = time.monotonic() + seconds
        tokens, since = -1.0, time.monotonic()
        while True:
            self.raise_if_dead()
            now = time.monotonic()
            try:
                running, seen = self._activity()
            except OSError as error:
                if now >= deadline:
                    raise ServerDied(f"{self.base_url} stopped answering: {error}") from error
            else:
                if seen != tokens:
                    tokens, since = seen, now
                if running == 0 or now - since >= STANDSTILL_SECONDS:
                    return 0
                if now >= deadline:
                    return running
            time.sleep(POLL_SECONDS)

    def wait_until_idle(self) -> None:
        """Wait until no request runs, so that one point's load cannot reach into the next.

        Raises:
            ServerDied: it ended meanwhile, or requests still run after a minute.
        """
        if self.running_requests():
            raise ServerDied(f"requests still run {QUIET_SECONDS:g} s after the load ended; see server.log")

    def _activity(self) -> tuple[float, float]:
        """(requests in its last step, tokens it has read and written so far)."""
        text = get(f"{self.base_url}/metrics").decode(errors="replace")
        gauges = parse_metrics(text, time.perf_counter_ns())
        tokens = sum(_value(line) or 0.0 for line in text.splitlines() if _TOKENS.match(line))
        return sum(r.value for r in gauges if r.series is Series.RUNNING_REQUESTS), tokens


@contextlib.contextmanager
def serve(spec: ServerSpec) -> Iterator[RunningServer]:
    """Start a server, wait until it is healthy, and end it and all its descendants on leaving.

    Raises:
        PortInUse, ServerDied, ServerNeverHealthy, OutOfMemory
    """
    _require_free(spec.port)
    base_url = f"http://127.0.0.1:{spec.port}"
    started = time.monotonic()
    with guarded(spec.command, log=spec.log, environment=spec.environment) as process:
        _wait_healthy(process, base_url, spec)
        yield RunningServer(
            new_run_id(), base_url, spec.command, spec.log, time.monotonic() - started, process
        )


def free_port() -> int:
    """A TCP port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def parse_metrics(text: str, at_ns: int) -> list[Reading]:
    """The series of interest from Prometheus' text format, each summed over its labels."""
    sums: dict[Series, float] = {}
    for line in text.splitlines():
        name = re.split(r"[{ ]", line, maxsplit=1)[0]
        series = _METRICS.get(name)
        if series is not None and (value := _value(line)) is not None:
            sums[series] = sums.get(series, 0.0) + value
    return [Reading(series, None, at_ns, value) for series, value in sums.items()]


def _value(line: str) -> float | None:
    """The number at the end of a line of metrics; None when there is none, or it is not finite."""
    try:
        value = float(line.rsplit(" ", 1)[-1])
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _wait_healthy(process: subprocess.Popen[bytes], base_url: str, spec: ServerSpec) -> None:
    deadline = time.monotonic() + spec.start_seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise death(spec.log, "the model server ended while starting")
        with contextlib.suppress(OSError):
            get(f"{base_url}/health")
            return
        time.sleep(POLL_SECONDS)
    tail = log_tail(spec.log)
    last = tail[-1] if tail else "it wrote no log"
    raise ServerNeverHealthy(
        f"the model server was not healthy within {spec.start_seconds:g} s (last log line: {last}); "
        "raise the limit or read server.log",
        tail,
    )


def death(log: Path, what: str) -> ServerDied | OutOfMemory:
    """Why a process ended, from the last lines of its log."""
    tail = log_tail(log, 60)
    memory = [line for line in tail if _OUT_OF_MEMORY.search(line)]
    if memory:
        return OutOfMemory(f"the configuration does not fit: {memory[-1]}", tail)
    telling = [line for line in tail if re.search(r"\w+Error\b|error:|dying|refusing", line)]
    last = (telling or tail or ("it wrote no log",))[-1]
    return ServerDied(f"{what}: {last}", tail)


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise PortInUse(f"port {port} is in use: stop what listens there, then measure again") from error


def get(url: str) -> bytes:
    """The body at a URL, within `HTTP_SECONDS`; raises OSError."""
    try:
        with urllib.request.urlopen(url, timeout=HTTP_SECONDS) as response:
            return response.read()
    except HTTPException as error:  # an answer that breaks off, or none of HTTP
        raise ConnectionError(f"{type(error).__name__}: {error}") from error
