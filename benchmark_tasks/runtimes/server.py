"""A model server as a context manager: started, healthy, and gone afterwards whatever happens."""

from __future__ import annotations

import contextlib
import json
import math
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path

import orjson
from pydantic import JsonValue

from benchmark_tasks.deadlines import within
from benchmark_tasks.errors import OutOfMemory, PortInUse, ServerDied, ServerError, ServerNeverHealthy
from benchmark_tasks.meters.meter import Reading
from benchmark_tasks.processes import guarded, log_tail
from benchmark_tasks.results.schema import new_run_id
from benchmark_tasks.results.tables import Series
from benchmark_tasks.runtimes.cpu import cpu_seconds
from benchmark_tasks.runtimes.kinds import Post, ServerContract
from benchmark_tasks.runtimes.metrics import ACCEPT, parse_metrics, total_of

POLL_SECONDS = 0.25
HTTP_SECONDS = 5.0
MOST_BYTES = 64 << 20
SLEEP_SECONDS = 600.0
"""So long going to sleep or waking may take: weights are copied, or read again."""
QUIET_SECONDS = 60.0
STANDSTILL_SECONDS = 3.0
"""A server's gauges may show its last step that served somebody, also when all was cancelled since."""

_OUT_OF_MEMORY = r"CUDA out of memory|OutOfMemoryError|DefaultCPUAllocator: can't allocate memory"


@dataclass(frozen=True)
class ServerSpec:
    """What to start, and how it talks. `command` is a list and never meets a shell.

    recorded: which of its environment variables a run records.
    """

    contract: ServerContract
    command: tuple[str, ...]
    environment: Mapping[str, str]
    port: int
    log: Path
    start_seconds: float
    recorded: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RunningServer:
    """A healthy server.

    contract: how it talks.
    start_seconds: how long it took to become so.
    process: what was started; `None` where somebody else runs it.
    local: whether that is the server itself, and not what only talks to it.
    key: what it wants as a bearer token; never shown or recorded.
    """

    session_id: str
    contract: ServerContract
    base_url: str
    command: tuple[str, ...]
    log: Path
    start_seconds: float
    process: subprocess.Popen[bytes] | None
    local: bool = True
    key: str | None = field(default=None, repr=False)

    def raise_if_dead(self) -> None:
        """Refuse to go on with a server that has died.

        Raises:
            ServerDied: the process has ended; carries the log's last lines.
        """
        if self.process is not None and self.process.poll() is not None:
            raise death(self.log, "the model server died during the measurement", self.contract.out_of_memory)

    def read_metrics(self) -> list[Reading]:
        """Gauges and counters of its metrics page, and the CPU time of its processes."""
        return (
            parse_metrics(self._metrics(), time.perf_counter_ns(), self.contract.metrics) + self._read_cpu()
        )

    def _read_cpu(self) -> list[Reading]:
        if self.process is None or not self.local:
            return []
        spent = cpu_seconds(self.process.pid, self.contract.engine_titles)
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

    def wait_until_idle(self, seconds: float = QUIET_SECONDS) -> None:
        """Wait until no request runs, so that one load cannot reach into the next.

        Raises:
            ServerDied: it ended meanwhile, or requests still run after so many seconds.
        """
        if self.running_requests(seconds):
            raise ServerDied(f"requests still run {seconds:g} s after the load ended; see server.log")

    def tell(self, posts: Sequence[Post]) -> None:
        """Send requests that put it to sleep or wake it; each is done when it has answered.

        Raises:
            ServerDied: it ended.
            ServerError: it refuses one, or does not answer in time.
        """
        for post in posts:
            try:
                _post(self.base_url + post.path, post.body, self.key)
            except urllib.error.HTTPError as error:
                raise ServerError(
                    f"POST {post.path} is answered by HTTP {error.code}: see server.log"
                ) from error
            except OSError as error:
                self.raise_if_dead()
                raise ServerError(f"POST {post.path} is not answered: {error}; see server.log") from error

    def is_sleeping(self) -> bool:
        """Whether it says that it sleeps.

        Raises:
            ServerError: it does not say.
        """
        assert self.contract.sleep is not None
        path = self.contract.sleep.state_path
        try:
            return orjson.loads(get(self.base_url + path, self.key))["is_sleeping"] is True
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ServerError(f"GET {path} does not say whether the server sleeps: {error}") from error

    def generated_tokens(self) -> int | None:
        """How many tokens it says that it has generated so far; `None` if it does not say.

        Raises:
            OSError: its metrics page could not be read.
        """
        readings = parse_metrics(self._metrics(), time.perf_counter_ns(), self.contract.metrics)
        return next((int(r.value) for r in readings if r.series is Series.GENERATED_TOKENS), None)

    def _activity(self) -> tuple[float, float]:
        """(requests in its last step, tokens it has read and written so far)."""
        text = self._metrics()
        gauges = parse_metrics(text, time.perf_counter_ns(), self.contract.metrics)
        running = [reading.value for reading in gauges if reading.series is Series.RUNNING_REQUESTS]
        return (running[0] if running else math.nan), total_of(text, self.contract.token_counters)

    def _metrics(self) -> str:
        page = get(self.base_url + self.contract.metrics_path, self.key, ACCEPT)
        return page.decode(errors="replace")


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
            new_run_id(), spec.contract, base_url, spec.command, spec.log, time.monotonic() - started, process
        )


def free_port() -> int:
    """A TCP port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_healthy(process: subprocess.Popen[bytes], base_url: str, spec: ServerSpec) -> None:
    deadline = time.monotonic() + spec.start_seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise death(spec.log, "the model server ended while starting", spec.contract.out_of_memory)
        with contextlib.suppress(OSError):
            get(base_url + spec.contract.health_path)
            return
        time.sleep(POLL_SECONDS)
    tail = log_tail(spec.log)
    last = tail[-1] if tail else "it wrote no log"
    raise ServerNeverHealthy(
        f"the model server was not healthy within {spec.start_seconds:g} s (last log line: {last}); "
        "raise the limit or read server.log",
        tail,
    )


def death(log: Path, what: str, out_of_memory: Sequence[str] = ()) -> ServerDied | OutOfMemory:
    """Why a process ended, from the last lines of its log.

    out_of_memory: regular expressions by which its runtime says that there is too little memory.
    """
    tail = log_tail(log, 60)
    too_little = re.compile("|".join((_OUT_OF_MEMORY, *out_of_memory)))
    memory = [line for line in tail if too_little.search(line)]
    if memory:
        return OutOfMemory(f"the configuration does not fit: {memory[-1]}", tail)
    telling = [line for line in tail if re.search(r"\w+Error\b|error:|dying|refusing", line)]
    last = (telling or tail or ("it wrote no log",))[-1]
    if "validation error" in last:  # pydantic says what is wrong in the lines below
        last = "; ".join(re.findall(r"Value error, (.*?)(?: \[type=|$)", "\n".join(tail), re.M)) or last
    return ServerDied(f"{what}: {last}", tail)


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise PortInUse(f"port {port} is in use: stop what listens there, then measure again") from error


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A request goes where it was sent, and its key nowhere else: 3xx is an error."""

    def redirect_request(self, *_: object) -> None:
        """Follow nothing."""


_DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())


def get(url: str, key: str | None = None, accept: str = "*/*") -> bytes:
    """The body at a URL, within `HTTP_SECONDS`, through no proxy, as the load; raises OSError.

    key: what the server wants as a bearer token, if anything.
    """
    return _ask(urllib.request.Request(url, headers={"Accept": accept}), key, HTTP_SECONDS)


def _post(url: str, body: JsonValue, key: str | None) -> bytes:
    """The answer to a JSON body, or to none, within `SLEEP_SECONDS`; raises OSError."""
    data = b"" if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} if data else {}
    return _ask(urllib.request.Request(url, data, headers, method="POST"), key, SLEEP_SECONDS)


def _ask(request: urllib.request.Request, key: str | None, seconds: float) -> bytes:
    request.add_header("Accept-Encoding", "identity")
    if key:
        request.add_header("Authorization", f"Bearer {key}")

    def answer() -> bytes:
        with _DIRECTLY.open(request, timeout=seconds) as response:
            body = bytes(response.read(MOST_BYTES + 1))
        if len(body) > MOST_BYTES:
            raise ConnectionError(f"an answer of more than {MOST_BYTES >> 20} MiB")
        return body

    try:
        return within(seconds, answer, request.full_url)
    except HTTPException as error:  # an answer that breaks off, or none of HTTP
        raise ConnectionError(f"{type(error).__name__}: {error}") from error
