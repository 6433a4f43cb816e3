"""The field's words as closed sets. Everything else imports them from here."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Architecture(StrEnum):
    """What kind of generator a task exercises."""

    LLM = "llm"
    MLLM = "mllm"
    DIFFUSION = "diffusion"


class OutputUnit(StrEnum):
    """What a task's output is counted in."""

    TOKEN = "token"
    IMAGE = "image"
    VIDEO = "video"


class MediaKind(StrEnum):
    """What a request carries besides text."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"


class Modality(StrEnum):
    """What a model takes as input besides text, or what it generates."""

    TEXT = "text"
    MULTIMODAL = "multimodal"
    IMAGE = "image"
    VIDEO = "video"


class Task(StrEnum):
    """A task of the leaderboard, named as ML.ENERGY names it.

    architecture: what answers it. output_unit: what its output is counted in. input_media: what its requests
    carry besides text. All else that is known of a task is in the catalog, `catalog/data/tasks/`.
    """

    architecture: Architecture
    output_unit: OutputUnit
    input_media: MediaKind | None

    LM_ARENA_CHAT = "lm-arena-chat", Architecture.LLM, OutputUnit.TOKEN
    GPQA = "gpqa", Architecture.LLM, OutputUnit.TOKEN
    SOURCEGRAPH_FIM = "sourcegraph-fim", Architecture.LLM, OutputUnit.TOKEN
    IMAGE_CHAT = "image-chat", Architecture.MLLM, OutputUnit.TOKEN, MediaKind.IMAGE
    VIDEO_CHAT = "video-chat", Architecture.MLLM, OutputUnit.TOKEN, MediaKind.VIDEO
    AUDIO_CHAT = "audio-chat", Architecture.MLLM, OutputUnit.TOKEN, MediaKind.AUDIO
    TEXT_TO_IMAGE = "text-to-image", Architecture.DIFFUSION, OutputUnit.IMAGE
    TEXT_TO_VIDEO = "text-to-video", Architecture.DIFFUSION, OutputUnit.VIDEO

    def __new__(
        cls,
        name: str,
        architecture: Architecture = Architecture.LLM,
        output_unit: OutputUnit = OutputUnit.TOKEN,
        input_media: MediaKind | None = None,
    ) -> Self:
        """A member is its name, with facts. The defaults let type checkers accept `Task("gpqa")`."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.architecture = architecture
        member.output_unit = output_unit
        member.input_media = input_media
        return member


RuntimeName = str
"""The inference engine that is measured, for example `vllm`.

An open set: each is a file in `runtimes/kinds`. A record may name one that this installation does not have.
"""

MOST_REPEATS = 1000
"""At a minute per run, most of a day; more is a mistake in typing."""

RUNTIME_PATTERN = r"^[a-z][a-z0-9_]*$"

DEFAULT_RUNTIME: RuntimeName = "vllm"
"""What a language model is measured on where nothing says otherwise."""


class WeightPrecision(StrEnum):
    """Number format of the weights.

    Formats that pack equal numbers differently (AWQ, GPTQ) are computed by different kernels: each has its
    own name. INT4, INT8: those of compressed-tensors. BNB: bitsandbytes.
    """

    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"
    FLOAT32 = "float32"
    FP8 = "fp8"
    MXFP4 = "mxfp4"
    NVFP4 = "nvfp4"
    INT4 = "int4"
    INT8 = "int8"
    AWQ_INT4 = "awq-int4"
    GPTQ_INT4 = "gptq-int4"
    GPTQ_INT8 = "gptq-int8"
    BNB_NF4 = "bnb-nf4"
    BNB_FP4 = "bnb-fp4"
    BNB_INT8 = "bnb-int8"


class Weights(StrEnum):
    """Whether the weights were the published ones, and if not, what they were; a comparability key.

    REAL: the published ones. STAND_IN: drawn so that the model computes as a trained one does, by the recipe
    of this version (`stand_in`); a recipe with other numbers is another value. DUMMY: vLLM's own, uniform and
    close to zero. RANDOM: as PyTorch initialises a diffusion model.
    """

    REAL = "real"
    STAND_IN = "stand-in.1"
    DUMMY = "dummy"
    RANDOM = "random"


class ModelKind(StrEnum):
    """What a release may change by itself: one canary stands for all models of a kind.

    HYBRID: attention and state-space layers. DIFFUSION: images and videos.
    """

    DENSE = "dense"
    MOE = "moe"
    HYBRID = "hybrid"
    MULTIMODAL = "multimodal"
    DIFFUSION = "diffusion"


class LengthControl(StrEnum):
    """Whether answers end by themselves or at a prescribed length; two lanes, never mixed."""

    NATURAL = "natural"
    FIXED = "fixed"


class AnswerForm(StrEnum):
    """What the right answer to a question is: a letter of several choices, a number, or a text."""

    CHOICE = "choice"
    NUMBER = "number"
    EXACT = "exact"


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

    @property
    def is_counter(self) -> bool:
        """Whether a counter of real GPUs was read."""
        return self not in (EnergySource.REPLAY, EnergySource.NONE)


class EnergyBoundary(StrEnum):
    """What the energy covers; rankings never mix boundaries.

    The host's joules stand beside the GPUs' and are never added to them.
    """

    GPU = "gpu"


RECHECK_CAMPAIGN = "recheck__"
"""How a recheck's `campaign_id` begins: its runs are compared with what is published, not mixed into it."""


ROTATION_CAMPAIGN = "rotation__"
"""How a rotation's `campaign_id` begins: what it spent in a week is told by its runs."""


CONFIRMATION_CAMPAIGN = "confirm__"
"""How the `campaign_id` of reruns begins that tell whether a release changed energy; these runs count."""


class RunStatus(StrEnum):
    """How a run ended. `INFEASIBLE` means the configuration does not fit the device."""

    COMPLETED = "completed"
    FAILED = "failed"
    INFEASIBLE = "infeasible"


CONTRIBUTOR_PREFIX = "contributor/"
"""Before the name of a contributor, in place of a `DataSource` (in dbt: `contributor_prefix`)."""


class DataSource(StrEnum):
    """Whose measurement a row is."""

    JOULEBOARD = "jouleboard"
    MLENERGY_V3 = "mlenergy-v3"
