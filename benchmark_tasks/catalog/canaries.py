"""`canaries.yaml`: what is measured first of a release, when it counts as unchanged, and what waits then."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from benchmark_tasks.catalog.fields import HubId, ascending
from benchmark_tasks.results.record import Degree, Record
from benchmark_tasks.vocabulary import ModelKind, Task

Share = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]
RATE_PATTERN = r"^[0-9]+([.][0-9]+)?%?$"
"""Of a request rate in a file: a number, or a share."""

GpuHours = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Canary(Record):
    """A model that is measured first of a release, on one GPU at these batch sizes, or without a GPU."""

    model_id: HubId
    task: Task
    batch_sizes: tuple[Degree, ...] = Field(min_length=1)

    @field_validator("batch_sizes")
    @classmethod
    def _in_order(cls, sizes: tuple[int, ...]) -> tuple[int, ...]:
        return ascending(sizes)


class PolicyLoad(Record):
    """A model whose requests also arrive at these rates under every release, on all its GPUs of the catalog.

    rates: requests per second (`2.5`; `0`: idle), or shares of the closed-loop maximum (`50%`).
    """

    model_id: HubId
    task: Task
    rates: tuple[Annotated[str, Field(pattern=RATE_PATTERN)], ...] = Field(min_length=1)


class CanaryPolicy(Record):
    """The whole policy. Its reasons: docs/adr/0012-canaries.md.

    kinds: canaries per kind of model; of each, the first that the catalog places on a GPU model is measured.
    margin: a canary did not change if the whole 90 % interval of its change of energy is within +- this.
    rounds: how often a canary is measured in turns with earlier releases, at most, until that is clear.
    most_of_sweep: GPU time of the canaries of a release, at most, as a share of a full sweep's.
    weekly_gpu_hours: GPU-hours per week and GPU model for configurations that wait.
    loads: what is also measured at request rates; nothing unless an installation asks for it.
    """

    kinds: dict[ModelKind, tuple[Canary, ...]] = {}
    margin: Share = 0.02
    rounds: Annotated[int, Field(ge=1, le=2)] = 2
    most_of_sweep: Share = 0.1
    weekly_gpu_hours: GpuHours = 4.0
    loads: tuple[PolicyLoad, ...] = ()

    @property
    def models(self) -> tuple[str, ...]:
        """Ids of all canaries."""
        return tuple(dict.fromkeys(model_id for kind in self.kinds for model_id in self.of(kind)))

    def of(self, kind: ModelKind) -> tuple[str, ...]:
        """Ids of the canaries of a kind."""
        return tuple(canary.model_id for canary in self.kinds.get(kind, ()))
