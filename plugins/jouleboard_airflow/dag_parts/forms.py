"""Fields that the forms of several DAGs share. Choices come from the catalog and the vocabulary."""

from __future__ import annotations

import logging

from airflow.sdk import Param, get_parsing_context

from benchmark_tasks.catalog import Catalog, load
from benchmark_tasks.errors import JouleboardError, one_line
from benchmark_tasks.results.identity import NO_GPU
from benchmark_tasks.settings import Settings
from benchmark_tasks.vocabulary import DEFAULT_RUNTIME, Task, Weights

log = logging.getLogger(__name__)

VERSION_PATTERN = r"^[0-9][0-9A-Za-z.!+-]*$"


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


def note() -> Param:
    """A remark, as free text."""
    return Param(None, type=["null", "string"], title="Note", description="Remark; stored with each run.")


def force() -> Param:
    """Whether to measure again what is landed already."""
    return Param(
        False,
        type="boolean",
        title="Force",
        description="Measure again what is landed already.",
    )


def repeats(default: int | None = None) -> Param:
    """The number of completed runs per configuration."""
    return Param(
        default,
        type=["null", "integer"],
        minimum=1,
        maximum=20,
        title="Repeats",
        description="Number of completed runs per configuration. Empty: 3 with a GPU, 1 without a GPU.",
    )


def runtime(catalog: Catalog) -> Param:
    """A runtime that the catalog has a project of."""
    projects = (*catalog.watch.projects, *catalog.watch.on_demand)
    return Param(DEFAULT_RUNTIME, enum=[project.runtime for project in projects], title="Runtime")


def floor(project: str) -> Param:
    """The oldest release of a project to measure."""
    return Param(
        None,
        type=["null", "string"],
        pattern=VERSION_PATTERN,
        title=f"Oldest {project} release",
        description="Empty: the configured floor.",
    )


def weights() -> Param:
    """A kind of weights, or the usual one of each model."""
    return Param(
        None,
        type=["null", "string"],
        enum=[None, *(kind.value for kind in Weights)],
        title="Weights",
        description=(
            "Empty: what the catalog names; otherwise real weights for a model with a known revision, "
            "and stand-in weights for a language model without one."
        ),
    )


def version() -> Param:
    """A release of a runtime."""
    return Param(
        None,
        type=["null", "string"],
        pattern=VERSION_PATTERN,
        title="Version",
        description="Release of the runtime, for example 0.32.0. Empty: the newest release.",
    )


def gpu_model() -> Param:
    """The GPU model to measure on, as free text: other DAGs set it, too."""
    return Param(
        None,
        type=["null", "string"],
        title="GPU model",
        description='For example H200; "none": without a GPU. Empty: every GPU model of the fleet.',
    )


def one_gpu_model(catalog: Catalog) -> Param:
    """A choice of one GPU model of the catalog, or no GPU."""
    return Param(
        NO_GPU,
        enum=[NO_GPU, *catalog.gpus],
        title="GPU model",
        values_display={NO_GPU: "no GPU (speed only, no energy)"}
        | {name: gpu.display_name for name, gpu in catalog.gpus.items()},
    )


def one_model(catalog: Catalog) -> Param:
    """A choice of one model of the catalog.

    In a task's process any text is valid: the host that it runs on may know fewer models than the form.
    """
    if get_parsing_context().task_id:
        return Param(next(iter(catalog.models)), type="string", title="Model")
    return Param(
        next(iter(catalog.models)),
        enum=list(catalog.models),
        title="Model",
        values_display={name: f"{model.nickname} ({name})" for name, model in catalog.models.items()},
    )


def one_task(catalog: Catalog) -> Param:
    """A choice of one task of the catalog."""
    names = {task.value: catalog.tasks[task].display_name for task in Task if task in catalog.tasks}
    return Param(next(iter(names)), enum=list(names), title="Task", values_display=names)
