"""The fields of the DAGs' forms. Choices come from the catalog and the vocabulary.

What a form offers first is a run that works on this installation: see `offers.first_offer`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow.sdk import Param, get_parsing_context

from benchmark_tasks.catalog import Catalog, load
from benchmark_tasks.errors import JouleboardError, one_line
from benchmark_tasks.releases.version_numbers import LONGEST_VERSION
from benchmark_tasks.results.identity import NO_GPU
from benchmark_tasks.settings import Settings, environment_path
from benchmark_tasks.vocabulary import DEFAULT_RUNTIME, AnswerForm, Task, Weights
from benchmark_tasks.workloads.sampling import MOST_KEPT_ANSWERS
from jouleboard_airflow.gpu_hosts import GpuHosts, reachable_hosts, read_fleet
from jouleboard_airflow.offers import (
    WITHOUT_GPU,
    Offer,
    deployments_on,
    first_offer,
    hosts_title,
    model_title,
)
from jouleboard_airflow.tasks.choices import LONGEST_TEXT, TITLES

log = logging.getLogger(__name__)

VERSION_PATTERN = r"^[0-9][0-9A-Za-z.!+-]*$"

PUBLISHED_COPY = "JOULEBOARD_PUBLISHED_V3"
"""The variable that names a folder with ML.ENERGY's published files."""

TEXT_PATTERN = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
"""No control characters: the database stores no NUL, and a terminal would obey others."""


def installed_catalog() -> tuple[Catalog, str]:
    """The catalog with this installation's additions, and Markdown for the documentation of the DAG.

    If an addition cannot be read, the form still works with the shipped catalog. Then the Markdown (otherwise
    empty) and a line in the log say why.
    """
    try:
        return load(overlay=Settings.from_environment().catalog), ""
    except (JouleboardError, OSError) as error:
        line = one_line(error).replace("`", "'")
        log.warning("the form offers only the shipped models: %s", line)
        notice = f"\n\n**The form offers only the shipped models.** Correct this error: `{line}`\n"
        return load(), notice


@dataclass(frozen=True)
class Here:
    """What is known of this installation when a form is made.

    hosts: GPU hosts that measurements can reach. planned: GPU hosts that releases are planned for.
    offer: what the form of a single measurement offers first; None if nothing can be measured.
    """

    hosts: tuple[GpuHosts, ...]
    planned: tuple[GpuHosts, ...]
    offer: Offer | None

    @classmethod
    def known(cls, catalog: Catalog) -> Here:
        """What the configuration and the files of this machine say; no GPU and no index is asked."""
        try:
            hosts, planned = reachable_hosts(), read_fleet()
        except JouleboardError as error:
            log.warning("the form offers no GPUs: %s", one_line(error))
            hosts, planned = (), ()
        return cls(hosts, planned, first_offer(catalog, hosts, _settings()))

    @property
    def gpus(self) -> str:
        """The GPUs of this installation in one sentence."""
        if self.hosts:
            return f"This installation has {hosts_title(self.hosts)}."
        if self.planned:
            return (
                f"{hosts_title(self.planned)} is planned for (JOULEBOARD_FLEET), but this machine has no "
                'such GPU: for now only "no GPU" works.'
            )
        return "This installation has no GPU: speed is measured, energy is not."


def _settings() -> Settings | None:
    try:
        return Settings.from_environment()
    except JouleboardError:
        return None  # `installed_catalog` reports it


def text(name: str, description: str) -> Param:
    """A field for free text that may stay empty."""
    return Param(
        None,
        type=["null", "string"],
        pattern=TEXT_PATTERN,
        maxLength=LONGEST_TEXT,
        title=TITLES[name],
        description=description,
    )


def number(name: str, description: str, *, whole: bool = False, **limits: Any) -> Param:
    """A number that may stay empty. limits: as JSON Schema has them (`minimum`, `exclusiveMinimum`, ...)."""
    kind = "integer" if whole else "number"
    return Param(None, type=["null", kind], title=TITLES[name], description=description, **limits)


def choice(name: str, titles: Mapping[str, str], description: str | None = None) -> Param:
    """One of these values, each with its title; the first one at first."""
    return Param(
        next(iter(titles)),
        type="string",
        enum=list(titles),
        title=TITLES[name],
        values_display=dict(titles),
        description=description,
    )


def source() -> Param:
    """Where results that others published are read from: by default this machine's copy, if it has one."""
    folder = environment_path(os.environ, PUBLISHED_COPY)
    return Param(
        str(folder) if folder and (folder / "index.json").is_file() else None,
        type=["null", "string"],
        pattern=TEXT_PATTERN,
        maxLength=LONGEST_TEXT,
        title=TITLES["source"],
        description="Folder on the worker, or http(s) address, with index.json, tasks/ and models/."
        " Empty: ML.ENERGY's public address, which needs the network.",
    )


def note(stored_with: str = "each run") -> Param:
    """A remark, as free text."""
    return text("note", f"A remark. It is stored with {stored_with}.")


def force() -> Param:
    """Whether to measure again what is landed already."""
    return Param(
        False,
        type="boolean",
        title=TITLES["force"],
        description="Measure again what is landed already.",
    )


def repeats(default: int | None = None) -> Param:
    """The number of completed runs per configuration."""
    return Param(
        default,
        type=["null", "integer"],
        minimum=1,
        maximum=20,
        title=TITLES["repeats"],
        description="Number of completed runs per configuration. Empty: 3 with a GPU, 1 without a GPU.",
    )


def runtime(catalog: Catalog) -> Param:
    """A runtime that the catalog has a project of."""
    projects = (*catalog.watch.projects, *catalog.watch.on_demand)
    return Param(
        DEFAULT_RUNTIME,
        enum=[project.runtime for project in projects],
        title=TITLES["runtime"],
        values_display={project.runtime: project.project for project in projects},
    )


def floor(project: str) -> Param:
    """The oldest release of a project to measure."""
    return Param(
        None,
        type=["null", "string"],
        pattern=VERSION_PATTERN,
        maxLength=LONGEST_VERSION,
        title=f"Oldest {project} release",
        description="Empty: the configured floor.",
    )


def weights() -> Param:
    """A kind of weights, or the usual one of each model."""
    return Param(
        None,
        type=["null", "string"],
        enum=[None, *(kind.value for kind in Weights)],
        title=TITLES["weights"],
        values_display=_WEIGHTS_TITLES,
        description=(
            "Empty: what the catalog names; otherwise real weights for a model with a known revision, "
            "and stand-in weights for a language model without one."
        ),
    )


def weights_folder() -> Param:
    """Where real weights lie on the host that measures."""
    return Param(
        None,
        type=["null", "string"],
        pattern=TEXT_PATTERN,
        maxLength=LONGEST_TEXT,
        title=TITLES["weights_folder"],
        description="Whole path on the GPU host of a folder with config.json, tokenizer and .safetensors."
        " Empty: the folder of the model's catalog entry, otherwise the hub.",
    )


_WEIGHTS_TITLES = {
    "None": "the usual weights of the model",
    Weights.REAL.value: "real: the published weights",
    Weights.STAND_IN.value: "stand-in: drawn so that the model computes as a trained one",
    Weights.DUMMY.value: "dummy: the runtime's own, close to zero",
    Weights.RANDOM.value: "random: as PyTorch initialises an image or video model",
}


def version() -> Param:
    """A release of a runtime."""
    return Param(
        None,
        type=["null", "string"],
        pattern=VERSION_PATTERN,
        maxLength=LONGEST_VERSION,
        title=TITLES["version"],
        description="Release of the runtime, for example 0.32.0. Empty: the newest release that can run.",
    )


def models(catalog: Catalog) -> Param:
    """Any number of models of the catalog; other DAGs name models that a form does not know yet."""
    return Param(
        None,
        type=["null", "array"],
        items={"type": "string", "pattern": TEXT_PATTERN, "maxLength": LONGEST_TEXT},
        title=TITLES["models"],
        description="Empty: every model that fits the GPUs.",
        examples=list(catalog.models),
        values_display={name: model_title(model) for name, model in catalog.models.items()},
    )


def tasks(catalog: Catalog) -> Param:
    """Any number of tasks."""
    names = _task_names(catalog)
    return Param(
        None,
        type=["null", "array"],
        items={"type": "string", "pattern": TEXT_PATTERN, "maxLength": LONGEST_TEXT},
        title=TITLES["tasks"],
        description="Empty: every task.",
        examples=list(names),
        values_display=names,
    )


def gpu_model(here: Here) -> Param:
    """The GPU model to measure on, as free text with suggestions: other DAGs set it, too."""
    return Param(
        None,
        type=["null", "string"],
        pattern=TEXT_PATTERN,
        maxLength=LONGEST_TEXT,
        title=TITLES["gpu_model"],
        description=f'Empty: every GPU model of the fleet. "none": without a GPU. {here.gpus}',
        examples=[*(host.gpu_model for host in here.planned), NO_GPU],
    )


def one_gpu_model(catalog: Catalog, here: Here) -> Param:
    """A choice of one GPU model of the catalog, or no GPU."""
    return Param(
        here.offer.gpu_model if here.offer else NO_GPU,
        enum=[NO_GPU, *catalog.gpus],
        title=TITLES["gpu_model"],
        description=here.gpus,
        values_display={NO_GPU: "no GPU (speed only, no energy)"}
        | {name: gpu.display_name for name, gpu in catalog.gpus.items()},
    )


def one_model(catalog: Catalog, here: Here) -> Param:
    """A choice of one model of the catalog.

    In a task's process any text is valid: the host that it runs on may know fewer models than the form.
    """
    first = here.offer.model.model_id if here.offer else next(iter(catalog.models))
    if get_parsing_context().task_id:
        return Param(first, type="string", title=TITLES["model"])
    return Param(
        first,
        enum=list(catalog.models),
        title=TITLES["model"],
        description=_fitting_models(catalog, here),
        values_display={name: model_title(model) for name, model in catalog.models.items()},
    )


def _fitting_models(catalog: Catalog, here: Here) -> str:
    """Which models can be measured here with the catalog's batch sizes."""
    hosts = (*here.hosts, WITHOUT_GPU)
    names = {model.nickname: None for host in hosts for model, *_ in deployments_on(catalog, host)}
    if not names:
        return "The catalog has no batch sizes for the GPUs of this installation: write Batch sizes."
    if len(names) > _MODELS_NAMED:
        return f"The catalog has batch sizes for {len(names)} of its {len(catalog.models)} models here."
    return f"Can be measured here with the catalog's batch sizes: {', '.join(names)}."


_MODELS_NAMED = 8


def one_task(catalog: Catalog, here: Here) -> Param:
    """A choice of one task of the catalog."""
    names = _task_names(catalog)
    return Param(
        here.offer.task.value if here.offer else next(iter(names)),
        enum=list(names),
        title=TITLES["task"],
        description="Each model is measured on some of these tasks.",
        values_display=names,
    )


def number_of_gpus(here: Here) -> Param:
    """How many GPUs of one host to use."""
    usual = here.offer.num_gpus if here.offer else 0
    return Param(
        usual if usual > 1 else None,
        type=["null", "integer"],
        minimum=0,
        maximum=64,
        title=TITLES["num_gpus"],
        description="Empty: 1; without a GPU 0.",
    )


def batch_sizes(here: Here) -> Param:
    """Batch sizes to measure, as a list in one text."""
    sizes = here.offer.batch_sizes if here.offer else None
    return Param(
        ", ".join(map(str, sizes)) if sizes else None,
        type=["null", "string"],
        pattern=r"^[0-9]+([ ,]+[0-9]+)*$",
        maxLength=LONGEST_TEXT,
        title=TITLES["batch_sizes"],
        description="For example 8, 32, 128. Empty: those of the catalog.",
    )


def rates() -> Param:
    """Request rates to measure, as a list in one text."""
    return text(
        "rates",
        "Requests that arrive by themselves, so many per second (2.5; 0: idle, the model loaded) or a share"
        " of the closed-loop maximum that is landed. For example 0, 10%, 50%, 90%. The batch size is the most"
        " that is answered at once. Empty: a closed loop.",
    )


def burstiness() -> Param:
    """How unevenly requests arrive: the shape of the gamma distribution of the gaps between them."""
    return number(
        "burstiness",
        "Of requests that arrive by themselves: 1, or empty, is Poisson; below 1 they come in bursts, above 1"
        " more evenly.",
        exclusiveMinimum=0,
        maximum=1000,
    )


def sleep() -> Param:
    """How deep an idle server is put to sleep, beside the measurement of idle."""
    return choice(
        "sleep",
        {
            "none": "none",
            "1": "level 1: weights in the host's memory",
            "2": "level 2: weights are read again (real weights only)",
            "1, 2": "levels 1 and 2 (real weights only)",
        },
        "With 0 as the only request rate, on a GPU: power asleep, and what going to sleep and waking take.",
    )


def requests() -> dict[str, Param]:
    """What is asked, and how answers are graded; all may stay empty."""
    return {
        "prompts": text(
            "prompts",
            "Whole path on the GPU host of a file with prompts of your own: JSON lines, Parquet or CSV"
            " (docs/how-to/own-prompts.md). They are measured each time. Empty: the task's usual requests.",
        ),
        "answer_form": Param(
            None,
            type=["null", "string"],
            enum=[None, *(form.value for form in AnswerForm)],
            title=TITLES["answer_form"],
            values_display=_ANSWER_FORMS,
            description="What the right answer to each prompt is. Answers are graded after the load.",
        ),
        "answer_column": text("answer_column", "Field of the file with the right answer. Empty: answer."),
        "choices": _count("choices", "How many letters there are to choose from.", least=2, most=26),
        "max_output_tokens": _count("max_output_tokens", "Empty: as long as the requests allow.", least=1),
        "temperature": number(
            "temperature", "0 always takes the likeliest token. Empty: 0.8.", minimum=0, maximum=2
        ),
        "request_seed": _count("request_seed", "Decides the order of prompts. Empty: the task's."),
        "keep_answers": _count(
            "keep_answers",
            "Of how many first requests each bundle keeps the answer's text. Empty: 32 of a data set on the"
            " hub, none of your own prompts, which may be private.",
            most=MOST_KEPT_ANSWERS,
        ),
    }


def _count(name: str, description: str, *, least: int = 0, most: int = 2**31 - 1) -> Param:
    """A whole number that may stay empty."""
    return number(name, description, whole=True, minimum=least, maximum=most)


_ANSWER_FORMS = {
    "None": "answers are not graded",
    AnswerForm.CHOICE.value: "choice: the letter of one of several answers",
    AnswerForm.NUMBER.value: "number",
    AnswerForm.EXACT.value: "exact: a text",
}


def _task_names(catalog: Catalog) -> dict[str, str]:
    return {task.value: catalog.tasks[task].display_name for task in Task if task in catalog.tasks}
