"""Where a sweep's model server comes from: an environment, a container, or somebody else.

`origin_of` asks and prepares; an `Origin` then makes as many servers as the sweep needs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import assert_never

from benchmark_tasks.runtimes.container import prepare_image
from benchmark_tasks.runtimes.endpoint import look_at
from benchmark_tasks.runtimes.environments import Environment, ensure
from benchmark_tasks.runtimes.kinds import Setup, kind_of
from benchmark_tasks.runtimes.launch import (
    AtEndpoint,
    InContainer,
    InEnvironment,
    Launch,
    Origin,
    ServerOrigin,
)
from benchmark_tasks.runtimes.server import RunningServer, ServerSpec, free_port, serve
from benchmark_tasks.runtimes.variables import recorded, runtime_variables
from benchmark_tasks.settings import Settings
from benchmark_tasks.workloads.requests import SERVED_MODEL_NAME


def origin_of(server: ServerOrigin, setup: Setup, settings: Settings, say: Callable[[str], None]) -> Origin:
    """Prepare what the sweep's servers need: environment, image, or a look at the endpoint.

    Raises:
        JouleboardError: it cannot be had, or is of another version than the sweep's.
    """
    match server:
        case InEnvironment():
            say(f"preparing {setup.distribution} {setup.runtime_version}")
            return FromEnvironment(ensure(setup.distribution, setup.runtime_version, settings, progress=say))
        case InContainer():
            return prepare_image(server, setup, say)
        case AtEndpoint():
            return look_at(server, setup, say, settings.endpoint_key)
        case _:
            assert_never(server)


class FromEnvironment:
    """Starts the runtime's module with an environment's interpreter."""

    image: str | None = None
    served_model_name = SERVED_MODEL_NAME

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self.packages = environment.packages

    def spec(self, launch: Launch) -> ServerSpec:
        """The module's command line and environment."""
        port = launch.port or free_port()
        contract = launch.kind.server
        command = contract.command(
            self._environment.python,
            launch.model,
            launch.setup,
            launch.source(),
            port=port,
            max_num_seqs=launch.max_num_seqs,
            seed=launch.seed,
            config=launch.options_file(),
        )
        variables = server_environment(self._environment, launch.setup, launch.gpu_indices, launch.lock_mark)
        if (folder := launch.stand_in_folder()) is not None:
            paths = (str(folder), variables.get("PYTHONPATH"))
            variables["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        return ServerSpec(
            contract, command, variables, port, launch.log, launch.start_seconds, recorded(variables)
        )

    def serve(self, spec: ServerSpec) -> AbstractContextManager[RunningServer]:
        """The module as a guarded child process."""
        return serve(spec)


def server_environment(
    environment: Environment, setup: Setup, gpu_indices: Sequence[int], lock_mark: str
) -> dict[str, str]:
    """The environment of the server process (`variables.py`)."""
    own = {**environment.variables, **kind_of(setup.runtime).sets(setup)}
    return runtime_variables(setup, own, gpu_indices, lock_mark)
