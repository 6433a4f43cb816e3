"""Starts, controls and ends the process that generates images and videos.

The process runs `diffusion/program/generate.py` in the runtime's own environment; its docstring describes
the files that the two exchange.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, JsonValue, TypeAdapter

from benchmark_tasks import disk
from benchmark_tasks.catalog import Model
from benchmark_tasks.errors import CatalogError, OutOfMemory, ServerDied, ServerNeverHealthy
from benchmark_tasks.plan.sweep import Sweep
from benchmark_tasks.processes import guarded, log_tail, new_lines
from benchmark_tasks.results.identity import workload_keys_of
from benchmark_tasks.results.record import Count, Degree, Record
from benchmark_tasks.results.schema import Sample, new_run_id
from benchmark_tasks.runtimes.environments import Environment
from benchmark_tasks.runtimes.kinds import MOCK, kind_of
from benchmark_tasks.runtimes.launch import STAND_IN_FOLDER
from benchmark_tasks.runtimes.server import POLL_SECONDS, death
from benchmark_tasks.runtimes.variables import runtime_variables
from benchmark_tasks.stand_in.installing import write_plugin_folder
from benchmark_tasks.vocabulary import Weights

PROGRAM = Path(__file__).parents[1] / "diffusion" / "program" / "generate.py"
MOCK_PROGRAM = Path(__file__).parents[1] / "testing" / "mock_generator.py"
ENDING_SECONDS = 600.0
"""How long the current batch may still take when a point is ended."""


class Ready(Record):
    """The pipeline is loaded on `devices` GPUs; the CPU counts as one.

    `stand_in`: the weights that each process drew; empty for other weights.
    """

    event: Literal["ready"]
    at_ns: int
    devices: Degree
    stand_in: tuple[dict[str, JsonValue], ...] = ()


class Batch(Record):
    """One whole batch. Times of CLOCK_MONOTONIC."""

    event: Literal["batch"]
    point: Count
    index: Count
    begin_ns: int
    end_ns: int
    items: Degree


class Ended(Record):
    """A point has ended. `sample`: of the last output; `None` if there was none."""

    event: Literal["ended"]
    point: Count
    peak_memory_bytes: tuple[Count, ...]
    sample: Sample | None


class Failed(Record):
    """The process cannot continue; `reason` is the first line of its error."""

    event: Literal["failed"]
    reason: str
    out_of_memory: bool
    traceback: tuple[str, ...]


Event = Annotated[Ready | Batch | Ended | Failed, Field(discriminator="event")]
_EVENT: TypeAdapter[Event] = TypeAdapter(Event)
Said = TypeVar("Said", Ready, Ended)


@dataclass(frozen=True)
class GeneratorSpec:
    """How to start the process. `folder` belongs to this start only; `job` describes what to build."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    job: Mapping[str, JsonValue]
    log: Path
    start_seconds: float


class RunningGenerator:
    """A loaded pipeline.

    `start_seconds`: how long loading took. `stand_in`: the weights that its processes drew.
    """

    def __init__(self, spec: GeneratorSpec, process: subprocess.Popen[bytes]) -> None:
        self.session_id = new_run_id()
        self.start_seconds = 0.0
        self.stand_in: tuple[Mapping[str, JsonValue], ...] = ()
        self._spec, self._process = spec, process
        self._read, self._points = 0, 0

    def begin(self, batch_size: int) -> int:
        """Start generating batches of a size, one after the other; returns the number of the point."""
        number = self._points
        self._points += 1
        _write(self._spec.folder / f"point-{number}.json", {"batch_size": batch_size})
        return number

    def new_events(self) -> list[Event]:
        """The events since the last call.

        Raises:
            ServerDied, OutOfMemory: it has ended.
        """
        dead = self._process.poll() is not None
        events = self._unread()
        for event in events:
            if isinstance(event, Failed):
                raise _failure(event)
        if dead and not events:
            raise death(self._spec.log, "the generating process ended unexpectedly")
        return events

    def end(self, number: int) -> Ended:
        """Make the current batch the last one, and wait for it.

        Raises:
            ServerDied, OutOfMemory: it has ended.
            ServerNeverHealthy: the batch did not end in time.
        """
        _write(self._spec.folder / f"point-{number}.stop", {})
        return self.wait_for(Ended, ENDING_SECONDS, "did not end its last batch")

    def sample(self, number: int) -> Path | None:
        """The sample of a point that has ended; `None` if there is none."""
        path = self._spec.folder / f"sample-{number}.jpg"
        return path if path.exists() else None

    def wait_for(self, kind: type[Said], seconds: float, failing: str) -> Said:
        """The next event of a kind; events before it are dropped."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for event in self.new_events():
                if isinstance(event, kind):
                    return event
            time.sleep(POLL_SECONDS)
        tail = log_tail(self._spec.log)
        last = tail[-1] if tail else "the log is empty"
        raise ServerNeverHealthy(
            f"the generating process {failing} within {seconds:g} s (last log line: {last}); "
            "raise the limit or read server.log",
            tail,
        )

    def _unread(self) -> list[Event]:
        path = self._spec.folder / "events.jsonl"
        if not path.exists():
            return []
        lines, self._read = new_lines(path, self._read)
        return [_EVENT.validate_json(line) for line in lines]


@contextlib.contextmanager
def start(spec: GeneratorSpec) -> Iterator[RunningGenerator]:
    """Start the process, wait until its pipeline is loaded; on leaving, end it and all its descendants.

    Raises:
        ServerDied, ServerNeverHealthy, OutOfMemory
    """
    spec.folder.mkdir(parents=True)
    _write(spec.folder / "job.json", dict(spec.job))
    started = time.monotonic()
    with guarded(spec.command, log=spec.log, environment=spec.environment) as process:
        running = RunningGenerator(spec, process)
        running.stand_in = running.wait_for(Ready, spec.start_seconds, "did not load its pipeline").stand_in
        running.start_seconds = time.monotonic() - started
        yield running


def generator_spec(
    sweep: Sweep,
    model: Model,
    environment: Environment,
    scratch: Path,
    *,
    prompts: Sequence[str],
    gpu_indices: Sequence[int],
    lock_mark: str,
    seed: int,
    start_seconds: float,
    log: Path,
) -> GeneratorSpec:
    """How a sweep's pipeline is started in the environment of its runtime.

    Raises:
        CatalogError: the catalog does not say how to build the model.
    """
    folder = scratch / f"generator-{new_run_id()}"
    kind = kind_of(sweep.runtime)
    own = {**environment.variables, **kind.sets(sweep)}
    launcher = kind.process.launcher(sweep.num_gpus)
    program = MOCK_PROGRAM if sweep.distribution == MOCK else PROGRAM
    variables = runtime_variables(sweep, own, gpu_indices, lock_mark)
    if sweep.weights is Weights.STAND_IN:
        paths = (str(write_plugin_folder(scratch / STAND_IN_FOLDER)), variables.get("PYTHONPATH"))
        variables["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    return GeneratorSpec(
        command=(str(environment.python), *launcher, str(program), str(folder)),
        environment=variables,
        folder=folder,
        job=job_of(sweep, model, prompts, seed),
        log=log,
        start_seconds=start_seconds,
    )


def job_of(sweep: Sweep, model: Model, prompts: Sequence[str], seed: int) -> dict[str, Any]:
    """`job.json`.

    Raises:
        CatalogError: the catalog does not say how to build the model.
    """
    if model.pipeline is None:
        raise CatalogError(
            f"the catalog does not say how to build {model.model_id}: its entry has no `pipeline`"
        )
    if sweep.cfg_parallel > 1 and not model.pipeline.cfg_parallel:
        raise CatalogError(
            f"{sweep.runtime} does not support CFG parallelism for {model.model_id}: "
            f"give degrees for {sweep.num_gpus} GPUs"
        )
    random = sweep.weights is not Weights.REAL
    return {
        "weights": sweep.weights.value,
        "runtime": sweep.runtime,
        "num_gpus": sweep.num_gpus,
        "dtype": sweep.weight_precision.value,
        "seed": seed,
        "prompts": list(prompts),
        "source": None if random else str(sweep.weights_folder or model.model_id),
        "revision": None if sweep.weights_folder else model.revision,
        "pipeline": model.pipeline.model_dump(mode="json"),
        "parallel": {
            "ulysses_degree": sweep.ulysses_degree,
            "ring_degree": sweep.ring_degree,
            "cfg_parallel": sweep.cfg_parallel,
        },
        "generation": {key: getattr(sweep, key) for key in workload_keys_of(sweep.task.output_unit)},
    }


def _failure(event: Failed) -> ServerDied | OutOfMemory:
    if event.out_of_memory:
        return OutOfMemory(f"the configuration does not fit in memory: {event.reason}", event.traceback)
    return ServerDied(f"the generating process failed: {event.reason}", event.traceback)


def _write(path: Path, content: Mapping[str, JsonValue]) -> None:
    """Write a file that the other process reads as soon as it exists, and only while this process runs."""
    disk.replace(path, json.dumps(content), durable=False)
