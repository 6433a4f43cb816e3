"""All configuration keys and comparability keys: their names, types and meanings, declared once.

Everything that lists keys derives its list from here: sweeps, the catalog's deployments, planning, the flat
row of a run, imported rows, dbt's variables, the checks across runs, the publication suite, the recheck.

To add a key, declare it in the class it belongs to, as `Annotated[<type> | None, ADDED_LATER]` with the
default `None`. It is left out of ids while it is `None`, so that no id of an existing run changes. A mart
shows the key once its YAML describes it.

    python -m benchmark_tasks.results.identity    the lists as dbt's variables, for dbt without a refresh
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Final, Self

from pydantic import Field, model_validator

from benchmark_tasks.results.record import Degree, FewCount, MeasuredKey, Record, Shape
from benchmark_tasks.vocabulary import (
    RUNTIME_PATTERN,
    Architecture,
    EnergyBoundary,
    LengthControl,
    OutputUnit,
    RuntimeName,
    Task,
    WeightPrecision,
    Weights,
)

NO_GPU = "none"
"""`gpu_model` of a configuration measured on a machine without a GPU."""

POISSON: Final = 1.0
"""`burstiness` of arrivals that do not depend on each other."""


class AddedLater:
    """Marks a key that older runs do not have: while it is `None`, it is not part of an id."""


class Describes:
    """Marks a key of the workload: which outputs it describes, by their unit."""

    def __init__(self, *units: OutputUnit) -> None:
        self.units = frozenset(units)


ADDED_LATER: Final = AddedLater()
_PICTURE: Final = Describes(OutputUnit.IMAGE, OutputUnit.VIDEO)
_CLIP: Final = Describes(OutputUnit.VIDEO)


class Subject(Record):
    """What is measured."""

    model_id: str = Field(min_length=1, description="the model, as the hub names it")
    weight_precision: WeightPrecision = Field(description="number format of its weights")
    task: Task = Field(description="what the model is asked to do")


class Hardware(Record):
    """The GPUs it is measured on."""

    gpu_model: str = Field(min_length=1, description=f"model of the GPUs; `{NO_GPU}` without any")
    num_gpus: FewCount = Field(description="how many GPUs")


class Parallelism(Record):
    """How a model is distributed over its GPUs."""

    tensor_parallel: Degree = Field(1, description="GPUs that share each layer")
    expert_parallel: Degree = Field(1, description="GPUs that share the experts")
    data_parallel: Degree = Field(1, description="replicas of the model")
    ulysses_degree: Degree = Field(1, description="GPUs that share attention by heads (diffusion)")
    ring_degree: Degree = Field(1, description="GPUs that share attention by sequence (diffusion)")


class Placement(Parallelism, Hardware):
    """Where a model runs: the GPUs, and how it is distributed over them."""


class Load(Record):
    """How many requests or items are worked on at once, or how often requests arrive.

    Closed loop: `batch_size` answers are in flight all the time. Open loop (`request_rate` is set): requests
    arrive by themselves, and the server answers at most `batch_size` of them at once.
    A designed load (`fixed_prompt_tokens` is set) has requests of one length instead of a task's: energy
    prices are fitted to such loads.
    """

    batch_size: Degree = Field(description="answers in flight (`max_num_seqs`), or items generated together")
    request_rate: Annotated[MeasuredKey | None, ADDED_LATER] = Field(
        None,
        description="requests per second that arrive on average, at most `batch_size` answered at once; 0:"
        " none, the model is loaded; NULL: a closed loop",
    )
    burstiness: Annotated[Shape | None, ADDED_LATER] = Field(
        None,
        description="shape of the gamma distribution of the times between arrivals; 1: Poisson, less: more"
        " bursty; NULL without arrivals",
    )
    fixed_prompt_tokens: Annotated[Degree | None, ADDED_LATER] = Field(
        None, description="length of every prompt of a designed load, tokens; NULL: the task's lengths"
    )
    fixed_answer_tokens: Annotated[Degree | None, ADDED_LATER] = Field(
        None, description="length of every answer of a designed load, tokens; NULL: the task's lengths"
    )

    @model_validator(mode="after")
    def _arrivals_are_whole(self) -> Self:
        if (self.burstiness is not None) != bool(self.request_rate):
            raise ValueError("burstiness belongs to a request rate above 0, and to nothing else")
        return self

    @model_validator(mode="after")
    def _lengths_are_whole(self) -> Self:
        if (self.fixed_prompt_tokens is None) != (self.fixed_answer_tokens is None):
            raise ValueError("a designed load fixes the length of prompts and of answers, or neither")
        if self.is_designed and self.request_rate == 0:
            raise ValueError("an idle load has no requests whose length could be fixed")
        return self

    @property
    def is_designed(self) -> bool:
        """Whether all requests have one length, chosen for a fit of energy prices."""
        return self.fixed_prompt_tokens is not None

    @property
    def is_open(self) -> bool:
        """Whether requests arrive by themselves."""
        return self.request_rate is not None

    @property
    def most_under_way(self) -> int:
        """How many requests may be under way at once.

        More of them in an open loop are no burst, but a jam: two rounds of all that the server answers at
        once are waiting.
        """
        return 3 * self.batch_size + 64 if self.request_rate else self.batch_size

    @property
    def load_label(self) -> str:
        """The load, in short, for people."""
        fixed = f", {self.fixed_prompt_tokens}+{self.fixed_answer_tokens} tokens"
        lengths = fixed if self.is_designed else ""
        if self.request_rate is None:
            return f"batch {self.batch_size}{lengths}"
        if self.request_rate == 0:
            return "idle"
        burstiness = "" if self.burstiness == POISSON else f", burstiness {self.burstiness:g}"
        return f"{self.request_rate:g} requests/s{burstiness}{lengths}"


class Workload(Record):
    """Steps and size of one image or video; all `None` for text."""

    inference_steps: Annotated[Degree | None, _PICTURE] = Field(None, description="denoising steps")
    height: Annotated[Degree | None, _PICTURE] = Field(None, description="pixels")
    width: Annotated[Degree | None, _PICTURE] = Field(None, description="pixels")
    num_frames: Annotated[Degree | None, _CLIP] = Field(None, description="frames of a video")

    def require_complete(self, task: Task) -> None:
        """Check that all keys that describe an output of the task are set, and no others.

        Raises:
            ValueError: names keys that are missing, or that the task does not have.
        """
        needed = workload_keys_of(task.output_unit)
        present = [name for name in WORKLOAD_KEYS if getattr(self, name) is not None]
        if missing := [key for key in needed if key not in present and key not in KEYS_ADDED_LATER]:
            raise ValueError(f"{task} needs {', '.join(missing)}")
        if others := [name for name in present if name not in needed]:
            raise ValueError(f"{task} has no {', '.join(others)}")


class Configuration(Workload, Load, Placement, Subject):
    """What is measured. Its id is a hash of exactly these fields."""

    @property
    def configuration_id(self) -> str:
        """First 16 hex digits of the SHA-256 of the fields as canonical JSON.

        Keys that are `None` are part of it, except those that were added later.
        """
        later = keys_added_later(type(self))
        values = self.model_dump(mode="json")
        traced = {name: value for name, value in values.items() if value is not None or name not in later}
        canonical = json.dumps(traced, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    @property
    def architecture(self) -> Architecture:
        """Architecture of the task."""
        return self.task.architecture

    @property
    def where(self) -> str:
        """The GPUs and the parallelism, in short, for people."""
        if self.num_gpus == 0:
            return "no GPU"
        degrees = {"TP": self.tensor_parallel, "EP": self.expert_parallel, "DP": self.data_parallel}
        if self.architecture is Architecture.DIFFUSION:
            degrees = {"Ulysses": self.ulysses_degree, "ring": self.ring_degree}
            # GPUs beyond the degrees take the guided and the unguided half of each batch.
            degrees["CFG"] = self.num_gpus // (self.ulysses_degree * self.ring_degree)
        spread = ", ".join(f"{name} {degree}" for name, degree in degrees.items() if degree > 1)
        return f"{self.num_gpus}x {self.gpu_model}" + (f" ({spread})" if spread else "")

    @property
    def size(self) -> str:
        """Steps and size of one image or video, in short; empty for text."""
        values = {name: getattr(self, name) for name in WORKLOAD_KEYS if getattr(self, name) is not None}
        steps, height, width = (values.pop(name, None) for name in ("inference_steps", "height", "width"))
        parts = [f"{steps} steps"] if steps else []
        parts += [f"{width}x{height}"] if height and width else []
        parts += [f"{value} {name.removeprefix('num_').replace('_', ' ')}" for name, value in values.items()]
        return " ".join(parts)

    def label(self) -> str:
        """Short name for people, in logs and of tasks."""
        parts = (self.model_id, self.task, self.where, self.size, self.load_label)
        return " | ".join(filter(None, parts))


class Comparability(Record):
    """The keys that say when two runs may share a chart.

    model_revision: commit of the hub's repository whose weights were measured, or the hash of a folder's
        content; `None`, a value of its own, for weights that are made up (stand-in, dummy, random) or if
        nobody knows which ones were served. It separates runs of one model; different models always differ
        in it.
    """

    runtime: RuntimeName = Field(pattern=RUNTIME_PATTERN, description="the runtime that serves the model")
    runtime_version: str = Field(min_length=1, title="version", description="release of the runtime")
    request_set_id: str = Field(min_length=1, title="request set", description="which requests were sent")
    length_control: LengthControl = Field(description="whether answers end by themselves")
    power_limit_watts: MeasuredKey | None = Field(
        title="power limit, W",
        description="power cap of each GPU, watts; `None` without a GPU, or if a GPU does not report it",
    )
    weights: Weights = Field(description="whether the weights are the published ones")
    energy_boundary: EnergyBoundary = Field(EnergyBoundary.GPU, description="what the energy covers")
    model_revision: str | None = Field(
        None, description="commit of the weights on the hub, or hash of their folder"
    )

    def differences(self, other: Comparability) -> str:
        """The keys in which another run differs, for people; empty if the two may share a chart."""
        return ", ".join(
            f"{title} was {_plain(getattr(self, name))}, is {_plain(getattr(other, name))}"
            for name, title in _titles(type(self))
            if getattr(self, name) != getattr(other, name)
        )


CONFIGURATION_KEYS: Final = tuple(Configuration.model_fields)
COMPARABILITY_KEYS: Final = tuple(Comparability.model_fields)
IDENTITY_KEYS: Final = CONFIGURATION_KEYS + COMPARABILITY_KEYS
"""The keys that are equal in two runs that are repeats of each other."""
PARALLELISM_KEYS: Final = tuple(Parallelism.model_fields)
WORKLOAD_KEYS: Final = tuple(Workload.model_fields)
LOAD_KEYS: Final = tuple(Load.model_fields)


def workload_keys_of(unit: OutputUnit) -> tuple[str, ...]:
    """The keys that describe an output of this unit."""
    return tuple(
        name
        for name, field in Workload.model_fields.items()
        for mark in field.metadata
        if isinstance(mark, Describes) and unit in mark.units
    )


def keys_added_later(kind: type[Record]) -> tuple[str, ...]:
    """The keys that are not part of an id while they are `None`."""
    return tuple(
        name
        for name, field in kind.model_fields.items()
        if any(isinstance(mark, AddedLater) for mark in field.metadata)
    )


KEYS_ADDED_LATER: Final = keys_added_later(Configuration) + keys_added_later(Comparability)


def dbt_variables() -> dict[str, list[str]]:
    """The lists of keys that the dbt project reads, by the names of its variables."""
    return {
        "configuration_keys": list(CONFIGURATION_KEYS),
        "comparability_keys": list(COMPARABILITY_KEYS),
        "workload_keys": list(WORKLOAD_KEYS),
        "parallelism_keys": list(PARALLELISM_KEYS),
        "keys_added_later": list(KEYS_ADDED_LATER),
    }


def _titles(kind: type[Record]) -> list[tuple[str, str]]:
    return [(name, field.title or name.replace("_", " ")) for name, field in kind.model_fields.items()]


def _plain(value: Any) -> Any:
    return getattr(value, "value", value)


if __name__ == "__main__":
    print(json.dumps(dbt_variables()))
