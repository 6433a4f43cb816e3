"""The field's words as closed sets. Everything else imports them from here."""

from __future__ import annotations

from enum import StrEnum


class Architecture(StrEnum):
    """What kind of generator a task exercises."""

    LLM = "llm"
    MLLM = "mllm"
    DIFFUSION = "diffusion"


class Task(StrEnum):
    """A task of the leaderboard, named as ML.ENERGY names it."""

    LM_ARENA_CHAT = "lm-arena-chat"
    GPQA = "gpqa"
    SOURCEGRAPH_FIM = "sourcegraph-fim"
    IMAGE_CHAT = "image-chat"
    VIDEO_CHAT = "video-chat"
    AUDIO_CHAT = "audio-chat"
    TEXT_TO_IMAGE = "text-to-image"
    TEXT_TO_VIDEO = "text-to-video"

    @property
    def architecture(self) -> Architecture:
        """The architecture that answers this task."""
        return _ARCHITECTURES[self]


_ARCHITECTURES = {
    Task.LM_ARENA_CHAT: Architecture.LLM,
    Task.GPQA: Architecture.LLM,
    Task.SOURCEGRAPH_FIM: Architecture.LLM,
    Task.IMAGE_CHAT: Architecture.MLLM,
    Task.VIDEO_CHAT: Architecture.MLLM,
    Task.AUDIO_CHAT: Architecture.MLLM,
    Task.TEXT_TO_IMAGE: Architecture.DIFFUSION,
    Task.TEXT_TO_VIDEO: Architecture.DIFFUSION,
}


class Runtime(StrEnum):
    """The inference engine that is measured."""

    VLLM = "vllm"
    XDIT = "xdit"
    DIFFUSERS = "diffusers"


class WeightPrecision(StrEnum):
    """Number format of the weights."""

    BFLOAT16 = "bfloat16"
    FLOAT32 = "float32"
    FP8 = "fp8"
    MXFP4 = "mxfp4"


class Weights(StrEnum):
    """Whether the weights were the published ones; a comparability key."""

    REAL = "real"
    DUMMY = "dummy"
    RANDOM = "random"


class LengthControl(StrEnum):
    """Whether answers end by themselves or at a prescribed length; two lanes, never mixed."""

    NATURAL = "natural"
    FIXED = "fixed"


class ServerKind(StrEnum):
    """Where the measured model server comes from."""

    ENVIRONMENT = "environment"
    CONTAINER = "container"
    ENDPOINT = "endpoint"


class EnergySource(StrEnum):
    """The instrument behind `counter_joules`. `NONE`: no counter, energy is NULL, never an estimate."""

    NVML_COUNTER = "nvml-counter"
    REPLAY = "replay"
    NONE = "none"


class EnergyBoundary(StrEnum):
    """What the energy covers; rankings never mix boundaries.

    No meter here measures `GPU_AND_CPU`: the host's joules stand beside the GPUs' and are never added.
    """

    GPU = "gpu"
    GPU_AND_CPU = "gpu+cpu"


RECHECK_CAMPAIGN = "recheck__"
"""How a recheck's `campaign_id` begins: its runs are compared with what is published, not mixed into it."""


class RunStatus(StrEnum):
    """How a run ended. `INFEASIBLE` means the configuration does not fit the device."""

    COMPLETED = "completed"
    FAILED = "failed"
    INFEASIBLE = "infeasible"


class DataSource(StrEnum):
    """Whose measurement a row is."""

    JOULEBOARD = "jouleboard"
    MLENERGY_V3 = "mlenergy-v3"
