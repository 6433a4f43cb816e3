"""What a runtime has to say of itself: everything else in this program asks its `RuntimeKind`.

A runtime is one file beside this one, named after the runtime, with a `RUNTIME` in it. Which of its
releases are measured is said by an entry in `catalog/data/watch.yaml`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol, assert_never

from pydantic import JsonValue

from benchmark_tasks.catalog import Model
from benchmark_tasks.results.tables import Series
from benchmark_tasks.runtimes.installer import Distribution
from benchmark_tasks.stand_in.support import refusal
from benchmark_tasks.vocabulary import Architecture, RuntimeName, Task, WeightPrecision, Weights

MOCK = "jouleboard-mock"
"""The distribution of tests: in place of the runtime, this package's own mock server or generator."""


class OverEngines(StrEnum):
    """How the values that several engines of one server report become one."""

    SUM = "sum"
    MEAN = "mean"
    MAX = "max"


@dataclass(frozen=True)
class Metric:
    """A metric of a server's metrics page.

    over_engines: what its value is for the whole server: the sum of counts, and of what is a share the mean.
    """

    series: Series
    over_engines: OverEngines = OverEngines.SUM


class Setup(Protocol):
    """What a runtime is started for: the fields of a sweep (`plan.sweep.Sweep`) that a kind reads."""

    @property
    def runtime(self) -> RuntimeName:
        """Name of the runtime."""

    @property
    def runtime_version(self) -> str:
        """Its version (PEP 440)."""

    @property
    def distribution(self) -> str:
        """The package that provides it, or `MOCK`."""

    @property
    def model_id(self) -> str:
        """The model's id on the hub."""

    @property
    def task(self) -> Task:
        """What it is measured on."""

    @property
    def weights(self) -> Weights:
        """Which weights it is given."""

    @property
    def weight_precision(self) -> WeightPrecision:
        """Their number format."""

    @property
    def weights_folder(self) -> str | None:
        """A folder with real weights, instead of the hub."""

    @property
    def num_gpus(self) -> int:
        """How many GPUs it gets; 0: the CPU."""

    @property
    def tensor_parallel(self) -> int:
        """Over how many GPUs each layer is split."""

    @property
    def expert_parallel(self) -> int:
        """Over how many GPUs the experts are spread."""

    @property
    def data_parallel(self) -> int:
        """How many copies of the model share the requests."""

    @property
    def server_options(self) -> Mapping[str, JsonValue]:
        """A person's own options, by the runtime's names."""

    @property
    def server_environment(self) -> Mapping[str, str]:
        """A person's own environment variables."""

    @property
    def sleep_levels(self) -> tuple[int, ...]:
        """How deep it will be put to sleep while it is measured; empty: not at all."""


class ServerCommand(Protocol):
    """Makes the argument list of a server process.

    python: the interpreter. source: what it loads, a folder or a hub id. max_num_seqs: how many requests
    it answers at a time. config: a YAML file with the setup's `server_options`, whose names the command
    must not repeat.
    """

    def __call__(
        self,
        python: Path | str,
        model: Model,
        setup: Setup,
        source: str,
        *,
        port: int,
        max_num_seqs: int,
        seed: int,
        config: Path | str | None = None,
    ) -> tuple[str, ...]:
        """The command and its arguments; no shell sees them."""


@dataclass(frozen=True)
class Post:
    """A request that puts a server to sleep or wakes it. body: as JSON; `None`: empty."""

    path: str
    body: JsonValue = None


@dataclass(frozen=True)
class SleepLevel:
    """One depth of sleep.

    sleep, wake: requests, each answered when it is done, in order.
    rereads_weights: whether the weights are thrown away, so that waking reads them from where they came.
    """

    sleep: tuple[Post, ...]
    wake: tuple[Post, ...]
    rereads_weights: bool = False


@dataclass(frozen=True)
class SleepContract:
    """How a server gives most of its GPU memory back without ending, and gets it again.

    levels: by their numbers, as the runtime has them.
    state_path: answers `{"is_sleeping": true}` while it sleeps.
    """

    levels: Mapping[int, SleepLevel]
    state_path: str


@dataclass(frozen=True)
class ServerContract:
    """A runtime that is a server under requests, with OpenAI's completions and chat completions.

    command: how it is started.
    variables: environment variables that every server gets.
    cpu_variables: further ones of a server without a GPU.
    metrics: what the names on its metrics page (Prometheus) are. The page may also have them without the
        runtime's prefix, with an underscore for the colon, and with or without `_total`.
    token_counters: names of counters that stand still when it computes nothing.
    engine_titles: how the titles of its engine's processes begin; the others receive requests.
    refused_options: options that are part of the configuration, a comparability key or the method, so
        that nobody may give them.
    out_of_memory: regular expressions of log lines that say the configuration does not fit.
    stand_in_folder: writes what draws stand-in weights while the server loads, into a folder that goes onto
        its PYTHONPATH; the command asks for them. `None`: it cannot have stand-in weights.
    smallest_gpu_server: `max_num_seqs` on GPUs, at least, so that a batch size meets the same server
        alone as in a sweep.
    sleep: how it sleeps on a GPU; `None`: it cannot.
    health_path, metrics_path, version_path: answers 200 when it is ready; its metrics; `{"version": ...}`.
    """

    command: ServerCommand
    metrics: Mapping[str, Metric]
    token_counters: tuple[str, ...]
    refused_options: frozenset[str]
    variables: Callable[[Setup], Mapping[str, str]] = lambda setup: {}
    cpu_variables: Callable[[], Mapping[str, str]] = dict
    engine_titles: tuple[str, ...] = ()
    out_of_memory: tuple[str, ...] = ()
    stand_in_folder: Callable[[Path], Path] | None = None
    smallest_gpu_server: int = 1
    sleep: SleepContract | None = None
    health_path: str = "/health"
    metrics_path: str = "/metrics"
    version_path: str = "/version"


@dataclass(frozen=True)
class ProcessContract:
    """A runtime that is a process which generates batches (`diffusion/program/generate.py`).

    launcher: by number of GPUs, what stands between the interpreter and the program.
    """

    launcher: Callable[[int], tuple[str, ...]]


def generator_variables(setup: Setup) -> dict[str, str]:
    """What every process that generates batches is told: no usage statistics, no hub for random weights."""
    variables = {
        "DO_NOT_TRACK": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONUNBUFFERED": "1",
        # The ranks of one host meet on its loopback interface, whatever its name resolves to.
        "GLOO_SOCKET_IFNAME": "lo",
    }
    if setup.weights is not Weights.REAL or setup.weights_folder:
        variables |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    return variables


def loads_from_hub(setup: Setup) -> bool:
    """Whether whoever serves it here loads a model's files from the hub."""
    return setup.weights is Weights.REAL and setup.weights_folder is None


@dataclass(frozen=True)
class RuntimeKind:
    """A runtime.

    name: as run records have it. title: as people write it.
    architectures: what it generates with.
    distributions: the packages that provide it, by name.
    cache_variables: variables that say in which folder it keeps what it compiles, and names of the folders.
    maximum_gpus: on how many GPUs it can run; `None`: on as many as there are.
    cfg_parallel: whether the guided and the unguided half of a batch can run on different GPUs, on twice as
        many as the parallel degrees ask for.
    """

    name: RuntimeName
    title: str
    contract: ServerContract | ProcessContract
    architectures: frozenset[Architecture]
    distributions: Mapping[str, Distribution]
    cache_variables: Mapping[str, str] = field(default_factory=dict)
    maximum_gpus: int | None = None
    cfg_parallel: bool = False

    def serves(self, task: Task) -> bool:
        """Whether it can be measured on a task."""
        return task.architecture in self.architectures

    def no_stand_in(self, model: Model) -> str | None:
        """Why it cannot measure a model with stand-in weights; `None` where it can."""
        if isinstance(self.contract, ProcessContract):
            return None if model.pipeline else f"the catalog has no pipeline of {model.model_id}"
        if self.contract.stand_in_folder is None:
            return f"{self.title} has no way to load weights that are drawn"
        if model.hub_config is None:
            return f"the catalog has no hub_config of {model.model_id}"
        return refusal(model.hub_config)

    def reports(self, series: Series) -> bool:
        """Whether its server reports a series on its metrics page."""
        return isinstance(self.contract, ServerContract) and any(
            metric.series is series for metric in self.contract.metrics.values()
        )

    def sets(self, setup: Setup) -> Mapping[str, str]:
        """Environment variables that this program sets for it."""
        match self.contract:
            case ServerContract() as server:
                on_cpu = {} if setup.num_gpus else server.cpu_variables()
                return {**on_cpu, **server.variables(setup)}
            case ProcessContract():
                return generator_variables(setup)
            case _:
                assert_never(self.contract)

    @property
    def refused_options(self) -> frozenset[str]:
        """What nobody may give it as an option of the server; without a server there are no options."""
        return self.contract.refused_options if isinstance(self.contract, ServerContract) else frozenset()

    @property
    def server(self) -> ServerContract:
        """Its contract as a server.

        Raises:
            TypeError: it is none; `serves` would have said so.
        """
        if not isinstance(self.contract, ServerContract):
            raise TypeError(f"{self.name} is not a server")
        return self.contract

    @property
    def process(self) -> ProcessContract:
        """Its contract as a process that generates batches.

        Raises:
            TypeError: it is none; `serves` would have said so.
        """
        if not isinstance(self.contract, ProcessContract):
            raise TypeError(f"{self.name} is not a process that generates batches")
        return self.contract
