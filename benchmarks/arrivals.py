"""Whether the load generator keeps the schedule of an open loop, at a thousand requests per second.

    python -m benchmarks.arrivals [--rate 1000] [--burstiness 1] [--seconds 20] [--processes 1 2 4] [--json]

For each number of processes: requests sent, how far from the schedule they were sent (ms), and the processor
time of the busiest process. The mock server answers one token, so that its own work stays small; prompts are
those of chat. Server and every process need a core each: on a busy machine, this measures what else runs.
On an idle machine with 2 cores: p99 1.6, 1.6 and 2.1 ms with 1, 2 and 4 processes. Where other programs run,
`chrt -r 20` before the command lets it go first (1.2, 1.3 and 1.4 ms under a load of 10).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmark_tasks.catalog import load
from benchmark_tasks.client.arrivals import OpenLoop
from benchmark_tasks.client.load import LoadSpec
from benchmark_tasks.client.load_processes import run_in_processes
from benchmark_tasks.runtimes.server import free_port
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.quick import quick_sweep
from benchmark_tasks.workloads.catalog_sets import request_set_for
from benchmark_tasks.workloads.requests import RequestSet

LEFT_OUT_SECONDS = 1.0
"""The first connections are being made."""


@dataclass(frozen=True)
class Kept:
    """One number of processes. Errors: |sent - due|, ms; cpu_share: of the busiest process."""

    processes: int
    requests: int
    per_second: float
    error_p50_ms: float
    error_p99_ms: float
    error_max_ms: float
    cpu_share: float


def main() -> None:
    """Measure each number of processes and print a table or JSON."""
    options = _options()
    results = [
        kept(options.rate, options.burstiness, options.seconds, number) for number in options.processes
    ]
    if options.json:
        print(json.dumps([asdict(result) for result in results], indent=1))
        return
    print("processes  requests  per second  p50 ms  p99 ms  max ms  busiest core")
    for result in results:
        errors = f"{result.error_p50_ms:6.2f}  {result.error_p99_ms:6.2f}  {result.error_max_ms:6.1f}"
        counts = f"{result.processes:9}  {result.requests:8}  {result.per_second:10.1f}"
        print(f"{counts}  {errors}  {result.cpu_share:11.0%}")


def kept(rate: float, burstiness: float, seconds: float, processes: int) -> Kept:
    """Offer a load and hold what was sent against what was due."""
    with _mock_server() as url:
        spec = LoadSpec(
            url, _one_token(), OpenLoop(rate, burstiness), request_limit=round(rate * seconds), drain=True
        )
        outcome = run_in_processes(spec, processes, lambda progress: False, 10 * seconds + 60)
    events = outcome.events
    if events.failures():
        sys.exit(f"{len(events.failures())} requests failed, first: {events.failures()[0]}")
    counted = events.due_seconds > LEFT_OUT_SECONDS
    errors = np.abs(events.sent_seconds - events.due_seconds)[counted] * 1e3
    p50, p99, largest = np.quantile(errors, [0.5, 0.99, 1.0])
    lasted = events.sent_seconds[counted].max() - LEFT_OUT_SECONDS
    return Kept(
        processes=processes,
        requests=len(events.errors),
        per_second=float(counted.sum() / lasted),
        error_p50_ms=float(p50),
        error_p99_ms=float(p99),
        error_max_ms=float(largest),
        cpu_share=outcome.client.cpu_share,
    )


def _one_token() -> RequestSet:
    sweep, catalog = quick_sweep(1), load()
    chat = request_set_for(
        sweep, catalog.model(sweep.model_id), catalog.tasks[sweep.task], Settings(home=Path("unused"))
    )
    return chat.warm_up(1)


@contextmanager
def _mock_server() -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "benchmark_tasks.testing.mock_server", f"--port={port}", "--itl-ms=1"]
    process = subprocess.Popen([*command, "--max-num-seqs=100000"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(10)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=float, default=1000.0, help="requests per second")
    parser.add_argument("--burstiness", type=float, default=1.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
