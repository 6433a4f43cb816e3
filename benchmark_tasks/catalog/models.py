"""`models/<organisation>__<name>.yaml`: a model, and how it is measured on which GPUs."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, JsonValue, ValidationInfo, field_validator, model_validator

from benchmark_tasks.catalog.fields import HubId, Name, Positive, ascending, known_gpu
from benchmark_tasks.results.identity import NO_GPU, Placement, Workload
from benchmark_tasks.results.record import Degree, Record
from benchmark_tasks.vocabulary import (
    RUNTIME_PATTERN,
    Modality,
    ModelKind,
    RuntimeName,
    Task,
    WeightPrecision,
    Weights,
)


class ModelArchitecture(StrEnum):
    """How a language model is built; diffusion models have no such value."""

    DENSE = "Dense Transformer"
    MOE = "MoE"
    HYBRID = "Mamba-Transformer Hybrid"


_KINDS = {
    ModelArchitecture.DENSE: ModelKind.DENSE,
    ModelArchitecture.MOE: ModelKind.MOE,
    ModelArchitecture.HYBRID: ModelKind.HYBRID,
}
"""Kind of a language model without pictures."""


_SIZES = ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size")
"""Fields of a config.json that no model can have at 0, in any architecture that has them."""


class Deployment(Placement):
    """One way to place a model on GPUs, and the batch sizes to sweep there."""

    batch_sizes: tuple[Degree, ...] = Field(min_length=1)

    @field_validator("gpu_model")
    @classmethod
    def _known(cls, gpu_model: str, info: ValidationInfo) -> str:
        return known_gpu(gpu_model, info)

    @field_validator("batch_sizes")
    @classmethod
    def _ascending(cls, sizes: tuple[int, ...]) -> tuple[int, ...]:
        return ascending(sizes)

    @model_validator(mode="after")
    def _fits(self) -> Deployment:
        if (self.gpu_model == NO_GPU) != (self.num_gpus == 0):
            raise ValueError(f"num_gpus must be 0 for gpu_model {NO_GPU}, and at least 1 for any other")
        degrees = (self.tensor_parallel, self.expert_parallel, self.data_parallel)
        diffusion = self.ulysses_degree * self.ring_degree
        if max(*degrees, diffusion) > max(self.num_gpus, 1):
            raise ValueError("a parallel degree is larger than num_gpus")
        if diffusion > 1 and self.num_gpus not in (diffusion, 2 * diffusion):
            raise ValueError("num_gpus must be ulysses_degree x ring_degree, or twice that (CFG parallel)")
        return self

    @property
    def placement(self) -> tuple[str | int, ...]:
        """Everything but the batch sizes: two deployments of a task must differ in it."""
        return tuple(getattr(self, name) for name in Placement.model_fields)


class ModelTask(Record):
    """A task that a model is measured on. `generation`: what one image or video is."""

    generation: Workload = Workload()
    deployments: tuple[Deployment, ...] = ()

    @field_validator("deployments")
    @classmethod
    def _distinct(cls, deployments: tuple[Deployment, ...]) -> tuple[Deployment, ...]:
        placements = [deployment.placement for deployment in deployments]
        for placement in placements:
            if placements.count(placement) > 1:
                raise ValueError(f"two deployments on {placement[1]}x {placement[0]} are the same")
        return deployments


class Component(Record):
    """One part of a pipeline: a class of diffusers or transformers, and the configuration it is made from.

    `Tokenizer` stands for a tokenizer that is created when it is needed, of `maximum_tokens`.
    """

    class_name: Name
    config: dict[str, JsonValue] = {}


class Pipeline(Record):
    """How diffusers builds a model, so that one with random weights of full size needs no hub.

    options: further arguments of the pipeline's constructor. call: arguments of every generation
    beside steps, size and frames, where the pipeline's own defaults are not the model's. vae_tiling:
    decode in tiles, where the pixels of a whole video would not fit. cfg_parallel: whether xfuser can
    give the guided and the unguided half of a batch to different GPUs.
    """

    class_name: Name
    options: dict[str, JsonValue] = {}
    call: dict[str, JsonValue] = {}
    vae_tiling: bool = False
    cfg_parallel: bool = False
    components: dict[Name, Component] = Field(min_length=1)


class Model(Record):
    """A model.

    `hub_config` holds its config.json, so that a copy with dummy weights needs no hub; `pipeline` is the
    same of a diffusion model. `hub_files` holds what such a copy needs besides, by file name: how
    pictures are prepared.

    `weights`: what it is always measured with; `None` leaves the choice to the plan
    (`plan.deployment.usual_weights`).
    `weights_folder`: where its real weights lie, with config.json and tokenizer, on every host that measures
    it; instead of the hub.
    `server` holds options of the runtime's server by their Python names (`max_model_len`).
    """

    model_id: HubId
    nickname: Name
    organisation: Name
    family: Name
    architecture: ModelArchitecture | None = None
    modality: Modality
    total_params_billions: Positive
    activated_params_billions: Positive
    weight_precision: WeightPrecision
    runtime: RuntimeName = Field(pattern=RUNTIME_PATTERN)
    weights: Weights | None = None
    revision: str | None = None
    weights_folder: Annotated[str, Field(pattern=r"^/[^\x00-\x1f\x7f]*$")] | None = None
    trust_remote_code: bool = False
    hub_config: dict[str, JsonValue] | None = None
    hub_files: dict[Annotated[str, Field(pattern=r"^[a-z_]+\.json$")], dict[str, JsonValue]] = {}
    pipeline: Pipeline | None = None
    server: dict[str, JsonValue] = {}
    tasks: dict[Task, ModelTask] = Field(min_length=1)

    @property
    def kind(self) -> ModelKind:
        """Which canary stands for it."""
        match self.modality:
            case Modality.IMAGE | Modality.VIDEO:
                return ModelKind.DIFFUSION
            case Modality.MULTIMODAL:
                return ModelKind.MULTIMODAL
        return _KINDS[self.architecture or ModelArchitecture.DENSE]

    @model_validator(mode="after")
    def _consistent(self) -> Model:
        if self.activated_params_billions > self.total_params_billions:
            raise ValueError("activated_params_billions is larger than total_params_billions")
        if self.weights is Weights.DUMMY and self.hub_config is None:
            raise ValueError("weights: dummy needs hub_config")
        if self.weights_folder is not None and self.weights not in (None, Weights.REAL):
            raise ValueError(f"weights_folder holds real weights: leave out weights: {self.weights}")
        if self.weights is Weights.RANDOM and self.pipeline is None:
            raise ValueError("weights: random needs pipeline")
        if self.weights is Weights.STAND_IN and self.hub_config is None and self.pipeline is None:
            raise ValueError(f"weights: {self.weights} needs hub_config or pipeline")
        for task, entry in self.tasks.items():
            entry.generation.require_complete(task)
        if wrong := _first_wrong_size(self.hub_config):
            raise ValueError(f"hub_config: {wrong} must be at least 1")
        return self


def _first_wrong_size(config: JsonValue) -> str | None:
    """The first size of a model, or of one of its parts, with which no model can be built."""
    if not isinstance(config, dict):
        return None
    for name, value in config.items():
        if name in _SIZES and isinstance(value, int | float) and value < 1:
            return name
        if (below := _first_wrong_size(value)) is not None:
            return f"{name}.{below}"
    return None
