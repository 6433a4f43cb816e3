"""The sweep of one deployment, from the catalog's entries of model, task and placement."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark_tasks.catalog import Catalog, Deployment, Model, TaskEntry
from benchmark_tasks.errors import CatalogError
from benchmark_tasks.plan.sweep import Sweep, SweepPoint
from benchmark_tasks.results.identity import NO_GPU
from benchmark_tasks.runtimes.kinds import ServerContract, kind_of
from benchmark_tasks.vocabulary import LengthControl, RuntimeName, Task, Weights

REPEATS_WITH_GPU = 3
REPEATS_WITHOUT_GPU = 1


def usual_repeats(gpu_model: str) -> int:
    """How many completed runs of a configuration are wanted by default."""
    return REPEATS_WITHOUT_GPU if gpu_model == NO_GPU else REPEATS_WITH_GPU


def distribution_of(catalog: Catalog, runtime: RuntimeName, gpu_model: str) -> str | None:
    """The package that provides a runtime on these GPUs, or without any; `None` where it cannot run."""
    return catalog.project_of(runtime).distribution(has_gpu=gpu_model != NO_GPU)


def usual_weights(model: Model, runtime: RuntimeName) -> Weights:
    """What a model is measured with where nobody says otherwise.

    Its catalog entry decides first. Real weights are meant where the entry names a folder with them, or a
    revision: the hub has been asked, and has them. Otherwise a language model has the stand-in, if the
    runtime can draw it. An image or video model has real weights until the stand-in has been compared with
    them.
    """
    if model.weights is not None:
        return model.weights
    kind = kind_of(runtime)
    served = isinstance(kind.contract, ServerContract)
    if model.weights_folder or model.revision is not None or not served or kind.no_stand_in(model):
        return Weights.REAL
    return Weights.STAND_IN


def require_weights(model: Model, weights: Weights, runtime: RuntimeName) -> None:
    """Refuse stand-in weights that a runtime cannot draw for a model, before anything is started.

    Raises:
        CatalogError: says why.
    """
    if weights is Weights.STAND_IN and (reason := kind_of(runtime).no_stand_in(model)):
        raise CatalogError(f"{model.model_id} cannot be measured with {weights} weights: {reason}")


def can_have(model: Model, weights: Weights | None, runtime: RuntimeName) -> bool:
    """Whether the catalog knows enough of a model for these weights (`None`: the usual) under a runtime."""
    kind = kind_of(runtime)
    match weights or usual_weights(model, runtime):
        case Weights.STAND_IN:
            return kind.no_stand_in(model) is None
        case Weights.DUMMY:
            return model.hub_config is not None
        case Weights.RANDOM:
            return model.pipeline is not None
        case Weights.REAL:
            return model.pipeline is not None or isinstance(kind.contract, ServerContract)


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

    weights, runtime: instead of the usual ones.

    Raises:
        CatalogError: the runtime cannot draw such weights for the model.
    """
    runtime = runtime or model.runtime
    weights = weights or usual_weights(model, runtime)
    require_weights(model, weights, runtime)
    return Sweep(
        model_id=model.model_id,
        model=model if model.model_id in catalog.added or model.revision else None,
        weight_precision=model.weight_precision,
        task=task,
        **deployment.model_dump(exclude={"batch_sizes"}),
        runtime=runtime,
        runtime_version=runtime_version,
        distribution=distribution,
        weights=weights,
        weights_folder=model.weights_folder if weights is Weights.REAL else None,
        **_requests_of(catalog, catalog.tasks[task]),
        **model.tasks[task].generation.model_dump(exclude_none=True),
        points=tuple(SweepPoint(batch_size=size) for size in batch_sizes),
    )


def _requests_of(catalog: Catalog, task: TaskEntry) -> dict[str, object]:
    """The requests of a task. Images and videos have a prescribed number of steps."""
    if task.requests is None:
        return {"length_control": LengthControl.FIXED}
    name = task.requests.request_set
    return {
        "length_control": task.requests.length_control,
        "request_set": name,
        "data_set": catalog.added_data_set(task.task, name),
    }
