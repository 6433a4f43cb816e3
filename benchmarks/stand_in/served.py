"""A vLLM server as Jouleboard starts one, with a worker that can be told which weights to have."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_VARIABLES = {
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "VLLM_USE_FLASHINFER_SAMPLER": "0",
    "PYTHONUNBUFFERED": "1",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "VLLM_SERVER_DEV_MODE": "1",
}
_OPTIONS = (
    "--served-model-name=measured", "--host=127.0.0.1", "--seed=0", "--no-enable-prefix-caching",
    "--disable-uvicorn-access-log", "--dtype=bfloat16",
)  # fmt: skip
GPU_OPTIONS = ("--async-scheduling", "--api-server-count=3", "--max-num-batched-tokens=8192")
EXTENSION = "benchmarks.stand_in.worker.WeightsWorker"


class Served:
    """One server process and what it can be asked."""

    def __init__(
        self, model: Path, port: int, log: Path, options: Sequence[str], variables: Mapping[str, str]
    ) -> None:
        self.url = f"http://127.0.0.1:{port}"
        module = (
            ("vllm.entrypoints.openai.api_server", "--model")
            if _cpu()
            else ("vllm.entrypoints.cli.main", "serve")
        )
        self.command = [
            sys.executable, "-W", "ignore", "-m", *module, str(model), *_OPTIONS, f"--port={port}",
            f"--worker-extension-cls={EXTENSION}", *options,
        ]  # fmt: skip
        self.log = log
        self.started = time.monotonic()
        self._process = subprocess.Popen(
            self.command, stdout=log.open("wb"), stderr=subprocess.STDOUT,
            env={**os.environ, **_VARIABLES, **variables}, start_new_session=True,
        )  # fmt: skip

    def wait(self, limit: float) -> float:
        """Seconds until it answered.

        Raises:
            RuntimeError: it ended, or did not answer in time.
        """
        while time.monotonic() - self.started < limit:
            if self._process.poll() is not None:
                raise RuntimeError(
                    f"the server ended with code {self._process.returncode}: {self._last_lines()}"
                )
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{self.url}/health", timeout=2).read()
                return time.monotonic() - self.started
            time.sleep(0.5)
        raise RuntimeError(f"the server did not answer within {limit:g} s")

    def ask_worker(self, method: str, *arguments: Any) -> Any:
        """The first worker's answer.

        Raises:
            RuntimeError: the worker refused.
        """
        body = json.dumps({"method": method, "args": list(arguments), "timeout": 120}).encode()
        request = urllib.request.Request(
            f"{self.url}/collective_rpc", body, {"Content-Type": "application/json"}
        )
        try:
            answer = urllib.request.urlopen(request, timeout=150).read()
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method}: {error.read()[:500]!r}") from error
        results = json.loads(answer)["results"] if answer else [None]
        return results[0]

    def metrics(self) -> dict[str, float]:
        """Some of the server's own numbers."""
        text = urllib.request.urlopen(f"{self.url}/metrics", timeout=20).read().decode()
        names = (
            "num_requests_running",
            "num_requests_waiting",
            "kv_cache_usage_perc",
            "num_preemptions_total",
        )
        return {name: _sum_of(text, f"vllm:{name}") for name in names}

    def stop(self) -> None:
        """End its process group."""
        for sign, patience in ((signal.SIGTERM, 15), (signal.SIGKILL, 5)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, sign)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
                if sign == signal.SIGKILL:
                    return

    def _last_lines(self) -> str:
        return self.log.read_text(errors="replace")[-1500:]


def _cpu() -> bool:
    return os.environ.get("STAND_IN_ON_CPU") == "1"


def _sum_of(text: str, name: str) -> float:
    lines = [line for line in text.splitlines() if line.startswith((name + "{", name + " "))]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)
