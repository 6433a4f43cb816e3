"""Fields that the forms of several DAGs share; choices come from the catalog and the vocabulary."""

from __future__ import annotations

import logging

from airflow.sdk import Param, get_parsing_context

from benchmark_tasks.catalog import Catalog, load
from benchmark_tasks.errors import JouleboardError, one_line
from benchmark_tasks.results.identity import NO_GPU
from benchmark_tasks.settings import Settings
from benchmark_tasks.vocabulary import Task

log = logging.getLogger(__name__)

VERSION_PATTERN = r"^[0-9][0-9A-Za-z.!+-]*$"


def installed_catalog() -> tuple[Catalog, str]:
    """The catalog with what this installation added to it, and Markdown for the documentation of the DAG.

    An addition that cannot be read takes no form away: it then has the shipped catalog, and the Markdown
    (empty otherwise) and a line in the log say why.
    """
    try:
        return load(overlay=Settings.from_environment().catalog), ""
    except (JouleboardError, OSError) as error:
        line = one_line(error).replace("`", "'")
        log.warning("the form has only the models that are shipped: %s", line)
        notice = f"\n\n**The form has only the models that are shipped.** Put this right: `{line}`\n"
        return load(), notice


def note() -> Param:
    """Free text."""
    return Param(None, type=["null", "string"], title="Note", description="Kept with each run.")


def force() -> Param:
    """Whether what is landed is measured again."""
    return Param(False, type="boolean", title="Measure again what is landed")


def repeats(default: int | None = None) -> Param:
    """How often each configuration is measured."""
    return Param(
        default,
        type=["null", "integer"],
        minimum=1,
        maximum=20,
        title="Repeats",
        description="Completed runs wanted of each configuration. Empty: 3 with a GPU, 1 without.",
    )


def version() -> Param:
    """A release."""
    return Param(
        None,
        type=["null", "string"],
        pattern=VERSION_PATTERN,
        title="Version",
        description="A release of the runtime, for example 0.32.0. Empty: the newest one.",
    )


def gpu_model() -> Param:
    """Where to measure, as free text: what others trigger with."""
    return Param(
        None,
        type=["null", "string"],
        title="GPU model",
        description='Empty: every GPU model of the fleet. "none": without a GPU.',
    )


def one_gpu_model(catalog: Catalog) -> Param:
    """One GPU model of the catalog, or none."""
    return Param(
        NO_GPU,
        enum=[NO_GPU, *catalog.gpus],
        title="GPU model",
        values_display={NO_GPU: "no GPU: speed only"}
        | {name: gpu.display_name for name, gpu in catalog.gpus.items()},
    )


def one_model(catalog: Catalog) -> Param:
    """One model of the catalog.

    A task's process takes what the form let through: the host it runs on may know fewer models.
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
    """One task."""
    names = {task.value: catalog.tasks[task].display_name for task in Task if task in catalog.tasks}
    return Param(next(iter(names)), enum=list(names), title="Task", values_display=names)
