"""Catalog x release - what is landed = what is still to be measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from packaging.version import InvalidVersion, Version
from pydantic import ValidationError

from benchmark_tasks.catalog import Catalog, Deployment, Model, TaskEntry
from benchmark_tasks.errors import CatalogError, UnknownVersion
from benchmark_tasks.plan.sweep import Plan, Sweep, SweepPoint
from benchmark_tasks.results.identity import NO_GPU
from benchmark_tasks.results.schema import Run
from benchmark_tasks.results.store import Listing
from benchmark_tasks.runtimes.kinds import ServerContract, kind_of
from benchmark_tasks.vocabulary import (
    RECHECK_CAMPAIGN,
    Architecture,
    LengthControl,
    RunStatus,
    RuntimeName,
    Task,
    Weights,
)
from benchmark_tasks.workloads.catalog_sets import name_of

REPEATS_WITH_GPU = 3
REPEATS_WITHOUT_GPU = 1

_Key = tuple[str, str | None, RuntimeName, str, Weights, LengthControl, str]


def plan_release(
    catalog: Catalog,
    listing: Listing,
    *,
    runtime: RuntimeName,
    runtime_version: str,
    gpu_model: str,
    gpus: int,
    repeats: int | None = None,
    models: Sequence[str] | None = None,
    tasks: Sequence[Task] | None = None,
    weights: Weights | None = None,
    campaign_id: str | None = None,
    note: str | None = None,
    force: bool = False,
) -> Plan:
    """What a machine with `gpus` GPUs of one model still has to measure for a runtime version.

    A point is planned for as many repeats as are missing to `repeats` completed runs (default 3
    with a GPU, 1 without); runs at another revision of the model are not among them. A point that did
    not fit the device is not tried again. `force` plans every point anew. `models` and `tasks` narrow
    the choice; `weights` replaces the catalog's (dummy weights only for models whose config.json the
    catalog holds). Small models come first: a release that is broken shows on the cheapest sweep.

    Raises:
        CatalogError: a model is not in the catalog.
        UnknownVersion: `runtime_version` is not a version number.
    """
    version = _normal(runtime_version)
    distribution = _distribution(catalog, runtime, gpu_model)
    if distribution is None:
        return Plan(sweeps=())
    wanted = _repeats(gpu_model) if repeats is None else repeats
    # A recheck confirms what is published; it is no repeat of it.
    landed = _Landed(run for run, _ in listing.runs if not _is_recheck(run))
    sweeps = []
    for model, task, deployment in _offered(catalog, runtime, gpu_model, gpus, models, tasks, weights):
        sweep = _sweep(
            catalog, model, task, deployment, deployment.batch_sizes, version, distribution, weights, runtime
        )
        sweep = sweep.model_copy(update={"campaign_id": campaign_id, "note": note})
        missing = {point.batch_size: wanted - landed.settled(sweep, point, force) for point in sweep.points}
        points = tuple(SweepPoint(batch_size=b, repeats=n) for b, n in missing.items() if n > 0)
        if points:
            sweeps.append(sweep.model_copy(update={"points": points}))
    return Plan(sweeps=tuple(sweeps))


def single_sweep(
    catalog: Catalog,
    *,
    model_id: str,
    task: Task,
    runtime_version: str,
    gpu_model: str,
    num_gpus: int,
    batch_sizes: Sequence[int] | None = None,
    repeats: int = 1,
    weights: Weights | None = None,
    note: str | None = None,
    runtime: RuntimeName | None = None,
    degrees: Mapping[str, int] | None = None,
) -> Sweep:
    """One sweep asked for by hand, on the catalog's deployment for this many GPUs.

    Batch sizes default to the catalog's. Where the catalog has no deployment, batch sizes must be
    given, and a language model is spread by tensor parallelism, another one by Ulysses. `runtime`
    replaces the catalog's; `degrees` say how an image or video model is spread (`ulysses_degree`,
    `ring_degree`).

    Raises:
        CatalogError: the model is unknown, is not measured on the task, or has no batch sizes.
    """
    model = catalog.model(model_id)
    if task not in model.tasks:
        raise CatalogError(f"{model.model_id} is not measured on {task}; it has {', '.join(model.tasks)}")
    runtime = runtime or model.runtime
    _require_runs(model, task, runtime)
    deployment = _deployment(model, task, gpu_model, num_gpus, batch_sizes, degrees or {})
    distribution = _distribution(catalog, runtime, gpu_model)
    if distribution is None:
        raise CatalogError(f"{runtime} needs a GPU: measure {model.model_id} on a machine that has one")
    sizes = sorted(set(batch_sizes)) if batch_sizes else deployment.batch_sizes
    version = _normal(runtime_version)
    sweep = _sweep(catalog, model, task, deployment, sizes, version, distribution, weights, runtime)
    points = tuple(SweepPoint(batch_size=size, repeats=repeats) for size in sizes)
    return sweep.model_copy(update={"points": points, "note": note})


def still_missing(sweep: Sweep, runs: Iterable[Run]) -> Sweep | None:
    """What a sweep lacks once these runs count for it: fewer points or repeats; `None` when nothing."""
    landed = _Landed(runs)
    left = {point.batch_size: point.repeats - landed.settled(sweep, point, False) for point in sweep.points}
    points = tuple(SweepPoint(batch_size=b, repeats=n) for b, n in left.items() if n > 0)
    return sweep.model_copy(update={"points": points}) if points else None


class _Landed:
    """How often each configuration was completed and settled, and which did not fit."""

    def __init__(self, runs: Iterable[Run]) -> None:
        runs = tuple(runs)
        self._completed = Counter(_key(run) for run in runs if _has_result(run))
        self._infeasible = {_key(run) for run in runs if run.status is RunStatus.INFEASIBLE}

    def settled(self, sweep: Sweep, point: SweepPoint, force: bool) -> float:
        """How many repeats of a point need no measuring: infinitely many if it does not fit."""
        if force:
            return 0
        configuration_id = sweep.configuration(point).configuration_id
        key = (
            configuration_id,
            sweep.model_revision,
            sweep.runtime,
            sweep.runtime_version,
            sweep.weights,
            sweep.length_control,
            sweep.request_set + (sweep.procedure.load_mark(sweep.length_control) if sweep.procedure else ""),
        )
        return float("inf") if key in self._infeasible else self._completed[key]


def _is_recheck(run: Run) -> bool:
    return (run.sweep_id or "").startswith(RECHECK_CAMPAIGN)


def _has_result(run: Run) -> bool:
    """A run whose load never settled has no figure: it is wanted again."""
    settled = run.window_steady is not None and run.window_steady.settled
    return run.status is RunStatus.COMPLETED and settled


def _key(run: Run) -> _Key:
    keys = run.comparability
    return (
        run.configuration.configuration_id,
        keys.model_revision,
        keys.runtime,
        keys.runtime_version,
        keys.weights,
        keys.length_control,
        name_of(keys.request_set_id),
    )


def _offered(
    catalog: Catalog,
    runtime: RuntimeName,
    gpu_model: str,
    gpus: int,
    models: Sequence[str] | None,
    tasks: Sequence[Task] | None,
    weights: Weights | None,
) -> Iterator[tuple[Model, Task, Deployment]]:
    """What the catalog wants measured on such a machine, cheapest first, always in the same order."""
    chosen = catalog.models.values() if not models else [catalog.model(model_id) for model_id in models]
    offers = [
        (model, task, deployment)
        for model in chosen
        if _is_measured_on(catalog, model, runtime) and _can_have(model, weights, runtime)
        for task, entry in model.tasks.items()
        if not tasks or task in tasks
        for deployment in entry.deployments
        if deployment.gpu_model == gpu_model and deployment.num_gpus <= gpus
    ]
    order = list(Task)
    yield from sorted(
        offers,
        key=lambda offer: (
            offer[0].total_params_billions,
            offer[0].model_id,
            order.index(offer[1]),
            offer[2].num_gpus,
            offer[2].placement,
        ),
    )


def _is_measured_on(catalog: Catalog, model: Model, runtime: RuntimeName) -> bool:
    return model.runtime == runtime or model.model_id in catalog.project_of(runtime).models


def _can_have(model: Model, weights: Weights | None, runtime: RuntimeName) -> bool:
    """Whether the catalog knows enough of a model for these weights under a runtime."""
    match weights:
        case Weights.DUMMY:
            return model.hub_config is not None
        case Weights.RANDOM:
            return model.pipeline is not None
        case _:
            return model.pipeline is not None or isinstance(kind_of(runtime).contract, ServerContract)


def _require_runs(model: Model, task: Task, runtime: RuntimeName) -> None:
    if not kind_of(runtime).serves(task):
        raise CatalogError(f"{runtime} does not run {model.model_id} on {task}")


def _deployment(
    model: Model,
    task: Task,
    gpu_model: str,
    num_gpus: int,
    batch_sizes: Sequence[int] | None,
    degrees: Mapping[str, int],
) -> Deployment:
    for deployment in model.tasks[task].deployments:
        here = (deployment.gpu_model, deployment.num_gpus) == (gpu_model, num_gpus)
        if here and all(getattr(deployment, name) == degree for name, degree in degrees.items()):
            return deployment
    if not batch_sizes:
        where = "a machine without a GPU" if gpu_model == NO_GPU else f"{num_gpus}x {gpu_model}"
        raise CatalogError(
            f"the catalog has no batch sizes for {model.model_id} on {where}: give --batch-size"
        )
    spread = "ulysses_degree" if task.architecture is Architecture.DIFFUSION else "tensor_parallel"
    try:
        return Deployment(
            gpu_model=gpu_model,
            num_gpus=num_gpus,
            batch_sizes=tuple(sorted(set(batch_sizes))),
            **(degrees or {spread: max(num_gpus, 1)}),
        )
    except ValidationError as error:
        raise CatalogError(f"cannot be placed on {num_gpus} GPUs: {error.errors()[0]['msg']}") from error


def _sweep(
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


def _distribution(catalog: Catalog, runtime: RuntimeName, gpu_model: str) -> str | None:
    return catalog.project_of(runtime).distribution(has_gpu=gpu_model != NO_GPU)


def _repeats(gpu_model: str) -> int:
    return REPEATS_WITHOUT_GPU if gpu_model == NO_GPU else REPEATS_WITH_GPU


def _normal(version: str) -> str:
    """The version as PEP 440 spells it, so that `v0.32` in a form and `0.32` on the index meet."""
    try:
        return str(Version(version))
    except InvalidVersion as error:
        raise UnknownVersion(f"{version!r} is not a version number (PEP 440)") from error
