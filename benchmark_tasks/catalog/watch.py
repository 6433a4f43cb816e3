"""`watch.yaml`: the projects and organisations whose releases and new models are looked for."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from benchmark_tasks.catalog.fields import HubId, Name, Positive, ascending, known_gpu
from benchmark_tasks.catalog.models import ModelArchitecture
from benchmark_tasks.results.record import Degree, Record
from benchmark_tasks.vocabulary import RUNTIME_PATTERN, Architecture, RuntimeName, Task


class WatchedProject(Record):
    """A project whose releases are measured.

    floor: oldest release that counts.
    distribution_with_gpu, distribution_without_gpu: the packages that provide it; `None` where
        it cannot run.
    measure_prereleases: release candidates are listed always, measured only when this is true.
    measure_yanked: the same for withdrawn releases.
    models: ids of models that are measured on it besides those whose entry names its runtime.
    """

    project: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    runtime: RuntimeName = Field(pattern=RUNTIME_PATTERN)
    floor: Annotated[str, Field(pattern=r"^[0-9][0-9A-Za-z.!+-]*$")]
    distribution_with_gpu: str
    distribution_without_gpu: str | None = None
    measure_prereleases: bool = False
    measure_yanked: bool = False
    models: tuple[HubId, ...] = ()

    def distribution(self, *, has_gpu: bool) -> str | None:
        """The package that provides it on a kind of machine; `None` where it cannot run."""
        return self.distribution_with_gpu if has_gpu else self.distribution_without_gpu


class Asking(StrEnum):
    """Who decides whether a new model is measured."""

    PERSON = "person"
    NOBODY = "nobody"


class WatchedFamily(Record):
    """What a class name in a config.json (`architectures`) stands for."""

    family: Name
    architecture: ModelArchitecture


class HubWatch(Record):
    """Which new models of a hub are proposed, and how they would be measured.

    organisations: whose models are looked for; if empty, no new model is.
    since: day (UTC) from which on a model counts as new; older models are ignored.
    tasks: what models of a pipeline tag are measured on.
    skipped_tags: models with one of these tags are left out (adapters, conversions).
    minimum_params_billions, maximum_params_billions: limits of size.
    families: the class names that are known; a model of any other is left out.
    gpu_models, num_gpus: the GPU models to measure on, and the numbers of GPUs to choose from; the smallest
        number that fits is taken.
    context_tokens: longest request with its answer that the server must be able to serve.
    memory_fraction: of a GPU's memory that the server may use. reserved_gib: of that, per GPU, what is
        neither weights nor cache.
    batch_sizes: of these, the sizes that the cache has room for are measured.
    asks: who decides on a proposal without missing facts.
    """

    organisations: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,95}$")], ...] = ()
    since: date
    tasks: dict[Name, tuple[Task, ...]]
    skipped_tags: tuple[Name, ...] = ()
    minimum_params_billions: Positive
    maximum_params_billions: Positive
    families: dict[Name, WatchedFamily]
    gpu_models: tuple[Name, ...] = Field(min_length=1)
    num_gpus: tuple[Degree, ...] = Field(min_length=1)
    context_tokens: Degree
    memory_fraction: Annotated[float, Field(gt=0, le=1)]
    reserved_gib: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    batch_sizes: tuple[Degree, ...] = Field(min_length=1)
    asks: Asking = Asking.PERSON

    @field_validator("tasks")
    @classmethod
    def _no_diffusion(cls, tasks: dict[str, tuple[Task, ...]]) -> dict[str, tuple[Task, ...]]:
        if any(task.architecture is Architecture.DIFFUSION for listed in tasks.values() for task in listed):
            raise ValueError(
                "steps and sizes of a diffusion task are not on the hub: add such a model by hand"
            )
        return tasks

    @field_validator("gpu_models")
    @classmethod
    def _known(cls, gpu_models: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        return tuple(known_gpu(gpu_model, info) for gpu_model in gpu_models)

    @field_validator("num_gpus", "batch_sizes")
    @classmethod
    def _in_order(cls, sizes: tuple[int, ...]) -> tuple[int, ...]:
        return ascending(sizes)


class Watch(Record):
    """The projects and the hub that are watched. Without `hub` no model hub is asked.

    on_demand: projects that are measured only when a person asks for it.
    """

    projects: tuple[WatchedProject, ...] = Field(min_length=1)
    on_demand: tuple[WatchedProject, ...] = ()
    hub: HubWatch | None = None
