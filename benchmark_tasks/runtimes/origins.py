"""Where a sweep's model server comes from: an environment, a container, or somebody else.

`origin_of` asks and prepares; an `Origin` then makes as many servers as the sweep needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, assert_never

from benchmark_tasks.catalog import Model
from benchmark_tasks.plan.sweep import AtEndpoint, InContainer, InEnvironment, Sweep
from benchmark_tasks.results.bundle import SERVER_LOG
from benchmark_tasks.runtimes.environments import Environment, ensure
from benchmark_tasks.runtimes.kinds.vllm import model_source, server_command, server_environment
from benchmark_tasks.runtimes.server import RunningServer, ServerSpec, free_port, serve
from benchmark_tasks.runtimes.server_options import write_server_options
from benchmark_tasks.settings import Settings
from benchmark_tasks.workloads.requests import SERVED_MODEL_NAME

SERVER_OPTIONS_FILE = "server.yaml"


@dataclass(frozen=True)
class Launch:
    """What one server of a sweep is started with.

    gpu_indices: physical indices. scratch: a private folder for the server's files and its log.
    """

    sweep: Sweep
    model: Model
    scratch: Path
    gpu_indices: tuple[int, ...]
    lock_mark: str
    max_num_seqs: int
    seed: int
    start_seconds: float
    port: int | None = None

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.scratch / SERVER_LOG

    def options_file(self) -> Path | None:
        """The sweep's `server_options` as the runtime's own YAML file; `None` without any."""
        options = self.sweep.server_options
        return write_server_options(self.scratch / SERVER_OPTIONS_FILE, options) if options else None


class Origin(Protocol):
    """Makes the servers of one sweep.

    packages: name and version of what is installed where the server runs, as far as it can be known.
    image: the container's image.
    served_model_name: what requests must call the model.
    """

    packages: Mapping[str, str]
    image: str | None
    served_model_name: str

    def spec(self, launch: Launch) -> ServerSpec:
        """What will be run; its command goes into each run's provenance."""
        ...

    def serve(self, spec: ServerSpec) -> AbstractContextManager[RunningServer]:
        """A healthy server, gone afterwards."""
        ...


def origin_of(sweep: Sweep, settings: Settings, say: Callable[[str], None]) -> Origin:
    """Prepare what the sweep's servers need: environment, image, or a look at the endpoint.

    Raises:
        JouleboardError: it cannot be had, or is of another version than the sweep's.
    """
    match sweep.server:
        case InEnvironment():
            say(f"preparing {sweep.distribution} {sweep.runtime_version}")
            return FromEnvironment(ensure(sweep.distribution, sweep.runtime_version, settings, progress=say))
        case InContainer():
            from benchmark_tasks.runtimes.container import prepare_image

            return prepare_image(sweep.server, sweep.runtime_version, say)
        case AtEndpoint():
            from benchmark_tasks.runtimes.endpoint import look_at

            return look_at(sweep.server, sweep, say)
        case _:
            assert_never(sweep.server)


class FromEnvironment:
    """Starts the runtime's module with an environment's interpreter."""

    image = None
    served_model_name = SERVED_MODEL_NAME

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self.packages = environment.packages

    def spec(self, launch: Launch) -> ServerSpec:
        """The module's command line and environment."""
        port = launch.port or free_port()
        command = server_command(
            self._environment.python,
            launch.model,
            launch.sweep,
            model_source(launch.model, launch.sweep, launch.scratch),
            port=port,
            max_num_seqs=launch.max_num_seqs,
            seed=launch.seed,
            config=launch.options_file(),
        )
        variables = server_environment(self._environment, launch.sweep, launch.gpu_indices, launch.lock_mark)
        return ServerSpec(command, variables, port, launch.log, launch.start_seconds)

    def serve(self, spec: ServerSpec) -> AbstractContextManager[RunningServer]:
        """The module as a guarded child process."""
        return serve(spec)
