"""What the catalog's files hold: one frozen type per kind of file.

The catalog says what exists and what to measure; it never holds a measured value.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field, JsonValue, ValidationInfo, field_validator, model_validator

from benchmark_tasks.results.identity import NO_GPU, Placement, Workload
from benchmark_tasks.results.record import Count, Degree, Record
from benchmark_tasks.vocabulary import (
    RUNTIME_PATTERN,
    Architecture,
    LengthControl,
    MediaKind,
    OutputUnit,
    RuntimeName,
    Task,
    WeightPrecision,
    Weights,
)

Name = Annotated[str, Field(min_length=1)]
HubId = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=96)
]
Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class ModelArchitecture(StrEnum):
    """How a language model is built; diffusion models have none."""

    DENSE = "Dense Transformer"
    MOE = "MoE"
    HYBRID = "Mamba-Transformer Hybrid"


class Modality(StrEnum):
    """What a model takes in besides text, or what it makes."""

    TEXT = "text"
    MULTIMODAL = "multimodal"
    IMAGE = "image"
    VIDEO = "video"


class GpuEntry(Record):
    """A GPU model. TDP in watts, memory in GiB as its maker states them.

    `nvml_names` are regular expressions, matched from the start of the name NVML gives.
    """

    gpu_model: Name
    display_name: Name
    tdp_watts: Positive
    memory_gib: Positive
    nvml_names: tuple[Name, ...] = Field(min_length=1)
    source: Name

    @field_validator("nvml_names")
    @classmethod
    def _compiles(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
        return patterns


class LengthDistribution(Record):
    """Lengths in tokens, log-normal and clipped: exp(Normal(ln median, sigma)) kept in [minimum, maximum]."""

    median_tokens: Positive
    sigma: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    minimum_tokens: Degree
    maximum_tokens: Degree
    source: Name

    @model_validator(mode="after")
    def _ordered(self) -> LengthDistribution:
        if not self.minimum_tokens <= self.median_tokens <= self.maximum_tokens:
            raise ValueError("minimum_tokens <= median_tokens <= maximum_tokens does not hold")
        return self


class SyntheticMedia(Record):
    """The one item that a synthetic request carries.

    sizes: width and height in pixels of pictures and clips; each is as frequent as the others.
    frames: stills of a clip. seconds, samples_per_second: of a recording.
    """

    kind: MediaKind
    sizes: tuple[tuple[Degree, Degree], ...] = ()
    frames: Degree = 1
    seconds: Positive | None = None
    samples_per_second: Degree = 16_000
    source: Name

    @model_validator(mode="after")
    def _complete(self) -> SyntheticMedia:
        if (self.kind is MediaKind.AUDIO) != (self.seconds is not None):
            raise ValueError("recordings have `seconds`, and only they")
        if (self.kind is MediaKind.AUDIO) == bool(self.sizes):
            raise ValueError("pictures and clips have `sizes`, and only they")
        if (self.kind is MediaKind.VIDEO) != (self.frames > 1):
            raise ValueError("a clip has several `frames`, and only a clip")
        return self


class RequestDefaults(Record):
    """How a language task is asked."""

    request_set: Name = "synthetic"
    length_control: LengthControl = LengthControl.FIXED
    input_tokens: LengthDistribution
    output_tokens: LengthDistribution
    media: SyntheticMedia | None = None
    seed: Count = 0


class PromptForm(StrEnum):
    """How a data set's rows become prompts; decides between Chat Completions and Completions, too."""

    CONVERSATION = "conversation"
    MULTIPLE_CHOICE = "multiple-choice"
    FILL_IN_THE_MIDDLE = "fill-in-the-middle"
    IMAGE_CONVERSATION = "image-conversation"
    VIDEO_QUESTION = "video-question"
    AUDIO_QUESTION = "audio-question"

    @property
    def media(self) -> MediaKind | None:
        """What each row carries besides text."""
        return _MEDIA.get(self)


_MEDIA = {
    PromptForm.IMAGE_CONVERSATION: MediaKind.IMAGE,
    PromptForm.VIDEO_QUESTION: MediaKind.VIDEO,
    PromptForm.AUDIO_QUESTION: MediaKind.AUDIO,
}


class DataSetEntry(Record):
    """A real data set on the model hub.

    revision: a commit, or a branch that is resolved to its commit when the data is fetched.
    kept_prompts: how many prompts, chosen by the seed, a request set holds before it starts again.
    first_rows: how many rows are fetched from the hub, from the first on; `None` fetches all.
    """

    hub_id: HubId
    subset: Name | None = None
    split: Name = "train"
    revision: Name
    form: PromptForm
    maximum_output_tokens: Degree
    kept_prompts: Degree = 8192
    first_rows: Degree | None = None
    source: Name


class TaskEntry(Record):
    """A task: what people call it, how it is asked, what it is compared with.

    requests: of a language task; images and videos are asked for by `diffusion/prompts.py`.
    reference_tasks: with which tasks it is compared, model by model.
    median_itl_ceilings_ms, batch_latency_ceilings_seconds: latencies under which GPU models are compared;
        the first for tasks that answer in tokens, the second for all others.
    """

    task: Task
    display_name: Name
    requests: RequestDefaults | None = None
    data_sets: dict[Name, DataSetEntry] = {}
    reference_tasks: tuple[Task, ...] = ()
    median_itl_ceilings_ms: tuple[Positive, ...] = ()
    batch_latency_ceilings_seconds: tuple[Positive, ...] = ()

    @property
    def architecture(self) -> Architecture:
        """What answers it."""
        return self.task.architecture

    @property
    def output_unit(self) -> OutputUnit:
        """What its output is counted in."""
        return self.task.output_unit

    @property
    def input_media(self) -> MediaKind | None:
        """What a request carries besides text; `None` for text alone."""
        return self.task.input_media

    @model_validator(mode="after")
    def _consistent(self) -> TaskEntry:
        if (self.requests is None) != (self.architecture is Architecture.DIFFUSION):
            raise ValueError("language tasks have `requests`, diffusion tasks have none")
        media = self.requests.media if self.requests else None
        if (media.kind if media else None) is not self.input_media:
            raise ValueError(
                f"requests of {self.task} carry {self.input_media or 'no media'}: see `requests.media`"
            )
        if self.data_sets and (self.requests is None or "synthetic" in self.data_sets):
            raise ValueError("data sets go with `requests`, and `synthetic` names none")
        self._require_fitting_ceilings()
        return self

    def _require_fitting_ceilings(self) -> None:
        in_tokens = self.output_unit is OutputUnit.TOKEN
        if self.batch_latency_ceilings_seconds if in_tokens else self.median_itl_ceilings_ms:
            raise ValueError("tasks that answer in tokens have ceilings of ITL, others of batch latency")
        if self.task in self.reference_tasks:
            raise ValueError("a task is not compared with itself")


def known_gpu(gpu_model: str, info: ValidationInfo) -> str:
    """A validator: the catalog that is being read has this GPU."""
    known = (info.context or {}).get("gpu_models")
    if known is not None and gpu_model not in known:
        raise ValueError(f"no such GPU in the catalog; it has {', '.join(sorted(known))}")
    return gpu_model


def ascending(sizes: tuple[int, ...]) -> tuple[int, ...]:
    """A validator: sizes in order, each once."""
    if list(sizes) != sorted(set(sizes)):
        raise ValueError("sizes must ascend, each once")
    return sizes


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
            raise ValueError(f"num_gpus 0 goes with gpu_model {NO_GPU}, and only with it")
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
                raise ValueError(f"two deployments on {placement[1]}x {placement[0]} alike")
        return deployments


class Component(Record):
    """One part of a pipeline: a class of diffusers or transformers, and the configuration it is made from.

    `Tokenizer` stands for one made on the spot, of `maximum_tokens`.
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
    weights: Weights = Weights.REAL
    revision: str | None = None
    trust_remote_code: bool = False
    hub_config: dict[str, JsonValue] | None = None
    hub_files: dict[Annotated[str, Field(pattern=r"^[a-z_]+\.json$")], dict[str, JsonValue]] = {}
    pipeline: Pipeline | None = None
    server: dict[str, JsonValue] = {}
    tasks: dict[Task, ModelTask] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Model:
        if self.activated_params_billions > self.total_params_billions:
            raise ValueError("activated_params_billions is larger than total_params_billions")
        if self.weights is Weights.DUMMY and self.hub_config is None:
            raise ValueError("weights: dummy needs hub_config")
        if self.weights is Weights.RANDOM and self.pipeline is None:
            raise ValueError("weights: random needs pipeline")
        for task, entry in self.tasks.items():
            entry.generation.require_complete(task)
        return self


class Revision(Record):
    """A state of a model's repository on the hub.

    revision: its commit. content: hash of the files that decide what is measured; a commit that only
    edits the model's description has the same. measured: whether this revision has a benchmark of its
    own; the one that was found when watching began has none.
    """

    revision: Commit
    content: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    seen_at: datetime
    measured: bool


class Revisions(Record):
    """The revisions of a model, oldest first. `head`: the commit that was looked at last."""

    model_id: HubId
    head: Commit
    revisions: tuple[Revision, ...] = Field(min_length=1)

    @property
    def current(self) -> Revision:
        """The revision that is measured from now on."""
        return self.revisions[-1]


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

    organisations: whose; none: no new model is looked for.
    since: day (UTC) from which on a model counts as new; older ones are history.
    tasks: what models of a pipeline tag are measured on.
    skipped_tags: models with one of these tags are left out (adapters, conversions).
    minimum_params_billions, maximum_params_billions: limits of size.
    families: the class names that are known; a model of any other is left out.
    gpu_models, num_gpus: where it may be measured, and the numbers of GPUs to choose the least from.
    context_tokens: longest request and answer the server is made ready for.
    memory_fraction: of a GPU's memory that the server may use. reserved_gib: of that, per GPU, what is
        neither weights nor cache.
    batch_sizes: those that the cache has room for are swept.
    asks: who decides on a proposal that lacks nothing.
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
    def _asked_in_words(cls, tasks: dict[str, tuple[Task, ...]]) -> dict[str, tuple[Task, ...]]:
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
    """What to look out for upstream. Without `hub` no model hub is asked.

    on_demand: projects that are measured when asked for, never by themselves.
    canaries: models that are measured before all others, and again every week, on one GPU or none.
    """

    projects: tuple[WatchedProject, ...] = Field(min_length=1)
    on_demand: tuple[WatchedProject, ...] = ()
    canaries: tuple[HubId, ...] = ()
    hub: HubWatch | None = None
