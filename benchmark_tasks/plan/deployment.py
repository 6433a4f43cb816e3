"""A sweep of one deployment: what the catalog says of model, task and placement, put together."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark_tasks.catalog import Catalog, Deployment, Model, TaskEntry
from benchmark_tasks.plan.sweep import Sweep, SweepPoint
from benchmark_tasks.results.identity import NO_GPU
from benchmark_tasks.vocabulary import LengthControl, RuntimeName, Task, Weights

REPEATS_WITH_GPU = 3
REPEATS_WITHOUT_GPU = 1


def usual_repeats(gpu_model: str) -> int:
    """How many completed runs of a configuration are wanted by default."""
    return REPEATS_WITHOUT_GPU if gpu_model == NO_GPU else REPEATS_WITH_GPU


def distribution_of(catalog: Catalog, runtime: RuntimeName, gpu_model: str) -> str | None:
    """The package that provides a runtime on these GPUs, or without any; `None` where it cannot run."""
    return catalog.project_of(runtime).distribution(has_gpu=gpu_model != NO_GPU)


def sweep_of(
    catalog: Catalog,
    model: Model,
    task: Task,
    deployment: Deployment,
    batch_sizes: Sequence[int],
    runtime_version: str,
    distribution: str,
    weights: Weights | None,
    runtime: RuntimeName | None = None,
) -> Sweep:
    """The sweep of one deployment, one repeat per batch size.

    weights, runtime: instead of the catalog's.
    """
    return Sweep(
        model_id=model.model_id,
        model=model if model.model_id in catalog.added or model.revision else None,
        weight_precision=model.weight_precision,
        task=task,
        **deployment.model_dump(exclude={"batch_sizes"}),
        runtime=runtime or model.runtime,
        runtime_version=runtime_version,
        distribution=distribution,
        weights=weights or model.weights,
        **_asked(catalog.tasks[task]),
        **model.tasks[task].generation.model_dump(exclude_none=True),
        points=tuple(SweepPoint(batch_size=size) for size in batch_sizes),
    )


def _asked(task: TaskEntry) -> dict[str, object]:
    """How a task is asked. What is generated in steps has its length prescribed."""
    if task.requests is None:
        return {"length_control": LengthControl.FIXED}
    return {"length_control": task.requests.length_control, "request_set": task.requests.request_set}
