"""One point on a server that misbehaves while it is measured: what the run says of it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from benchmark_tasks.catalog import load
from benchmark_tasks.errors import LoadError
from benchmark_tasks.language import METRICS_PERIOD_SECONDS
from benchmark_tasks.measurement import Bench, measure_point
from benchmark_tasks.meters.meter import NoMeter, Recorder
from benchmark_tasks.procedure import Procedure
from benchmark_tasks.runtimes.server import RunningServer, ServerSpec, free_port, serve
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.quick import QUICK, quick_sweep
from benchmark_tasks.vocabulary import LengthControl
from benchmark_tasks.workloads.catalog_sets import request_set_for


@contextmanager
def mock_server(folder: Path, *options: str) -> Iterator[RunningServer]:
    port, module = free_port(), "benchmark_tasks.testing.mock_server"
    command = (sys.executable, "-m", module, f"--port={port}", *options)
    with serve(ServerSpec(command, {}, port, folder / "server.log", 60)) as server:
        yield server


def measure(server: RunningServer, procedure: Procedure, control: LengthControl, say: Callable[[str], None]):
    sweep, catalog = quick_sweep(4, length_control=control), load()
    model, task = catalog.model(sweep.model_id), catalog.tasks[sweep.task]
    requests = request_set_for(sweep, model, task, Settings(home=Path("unused")))
    with Recorder(NoMeter("none")) as devices, Recorder(server, METRICS_PERIOD_SECONDS) as metrics:
        return measure_point(Bench(server, devices, metrics, requests, control, procedure, say), 4)


def generator_of(server: RunningServer) -> psutil.Process:
    """The server itself, which runs under its guardian."""
    (child,) = psutil.Process(server.process.pid).children()
    return child


def test_a_server_that_stands_still_fails_the_run_in_half_the_longest_loads_time(tmp_path: Path) -> None:
    endless = QUICK.model_copy(update={"long_window_seconds": 100.0, "maximum_seconds": 10.0})
    with mock_server(tmp_path) as server:
        generator = generator_of(server)

        def say(line: str) -> None:
            if "measuring for" in line:
                generator.send_signal(signal.SIGSTOP)

        try:
            with pytest.raises(LoadError, match="^no request got a token for 5 s: .*server.log$"):
                measure(server, endless, LengthControl.NATURAL, say)
        finally:
            generator.resume()
