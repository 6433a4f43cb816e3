"""One sweep that a person asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from benchmark_tasks.catalog import Catalog, Deployment, Model
from benchmark_tasks.errors import CatalogError, SettingsError, first_problem
from benchmark_tasks.plan.deployment import distribution_of, sweep_of, usual_repeats
from benchmark_tasks.plan.landed import runs_that_count, still_missing
from benchmark_tasks.plan.rates import at_rates
from benchmark_tasks.plan.real_weights import named_if_here
from benchmark_tasks.plan.sweep import Sweep, SweepPoint
from benchmark_tasks.plan.versions import normal_version, version_to_measure
from benchmark_tasks.results.identity import NO_GPU, POISSON
from benchmark_tasks.results.schema import Run
from benchmark_tasks.runtimes.kinds import kind_of
from benchmark_tasks.settings import Settings
from benchmark_tasks.vocabulary import Architecture, RuntimeName, Task, Weights

if TYPE_CHECKING:
    from benchmark_tasks.host.machine import Machine


def plan_single(
    machine: Machine,
    catalog: Catalog,
    runs: Iterable[Run],
    settings: Settings,
    *,
    model_id: str,
    task: Task,
    version: str | None,
    num_gpus: int | None = None,
    batch_sizes: Sequence[int] | None = None,
    rates: Sequence[str] = (),
    burstiness: float | None = None,
    sleep_levels: Sequence[int] = (),
    repeats: int | None = None,
    weights: Weights | None = None,
    weights_folder: str | None = None,
    requests: Mapping[str, Any] | None = None,
    campaign_id: str | None = None,
    note: str | None = None,
    force: bool = False,
) -> tuple[Sweep, Sweep | None]:
    """The sweep that a person asks for on a machine, and the part of it that is still to be measured.

    version: the newest one that can be measured there when `None`. num_gpus: one by default, where there
    are any. rates: instead of a closed loop, requests that arrive at these rates (`at_rates`); the largest
    batch size is the most that is answered at once. burstiness: shape of their gaps, Poisson by default.
    sleep_levels: at rate 0, how deep the server is then put to sleep.
    repeats, weights: the usual ones by default. weights_folder: real weights, instead of the catalog's.
    requests: fields of the sweep that a person chose (`chosen_requests`). force: measure it again, but for
    what the campaign itself has landed; so are prompts from a file, since only the host that measures knows
    what is in it.

    Raises:
        CatalogError, SettingsError, UnknownVersion, NoBuildHere, IndexUnreachable
    """
    model = catalog.model(model_id)
    gpus = gpus_to_use(machine, num_gpus)
    require_gpu_or_wish(model, task, machine, wanted=num_gpus)
    chosen = version_to_measure(catalog, model.runtime, version, has_gpu=machine.has_gpu, settings=settings)
    sweep = single_sweep(
        catalog,
        model_id=model.model_id,
        task=task,
        runtime_version=chosen,
        gpu_model=machine.gpu_model,
        num_gpus=gpus,
        batch_sizes=batch_sizes,
        repeats=repeats or usual_repeats(machine.gpu_model),
        weights=weights,
        weights_folder=weights_folder,
        note=note,
    ).model_copy(update={"campaign_id": campaign_id})
    if requests:
        sweep = with_requests(sweep, requests)
    sweep, known = named_if_here(sweep, catalog, settings), list(runs)
    force = force or (sweep.data_set is not None and sweep.data_set.file is not None and bool(requests))
    if rates:
        sweep = at_rates(sweep, rates, known, burstiness=burstiness or POISSON, sleep_levels=sleep_levels)
    return sweep, still_missing(sweep, runs_that_count(known, campaign_id=campaign_id, force=force))


def with_requests(sweep: Sweep, requests: Mapping[str, Any]) -> Sweep:
    """The sweep with other requests (`chosen_requests`).

    Raises:
        SettingsError: the sweep cannot have them.
    """
    try:
        return Sweep.model_validate({**sweep.model_dump(), **requests})
    except ValidationError as error:
        raise SettingsError(first_problem(error, "requests")) from error


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
    weights_folder: str | None = None,
    note: str | None = None,
    runtime: RuntimeName | None = None,
    degrees: Mapping[str, int] | None = None,
) -> Sweep:
    """One sweep asked for by hand, on the catalog's deployment for this many GPUs.

    Batch sizes default to the catalog's. Where the catalog has no deployment, batch sizes must be
    given, and a language model is spread by tensor parallelism, another one by Ulysses. `runtime`
    replaces the catalog's, `weights` the usual ones, `weights_folder` where real ones come from; `degrees`
    say how an image or video model is spread (`ulysses_degree`, `ring_degree`).

    Raises:
        CatalogError: the model is unknown, is not measured on the task, has no batch sizes, or cannot have
            these weights.
    """
    model = catalog.model(model_id)
    if weights_folder is not None:
        model, weights = _from_folder(model, weights_folder, weights)
    if task not in model.tasks:
        raise CatalogError(f"{model.model_id} is not measured on {task}; it has {', '.join(model.tasks)}")
    runtime = runtime or model.runtime
    _require_runs(model, task, runtime)
    deployment = _deployment(model, task, gpu_model, num_gpus, batch_sizes, degrees or {})
    distribution = distribution_of(catalog, runtime, gpu_model)
    if distribution is None:
        raise CatalogError(f"{runtime} needs a GPU: measure {model.model_id} on a machine that has one")
    sizes = sorted(set(batch_sizes)) if batch_sizes else deployment.batch_sizes
    version = normal_version(runtime_version)
    sweep = sweep_of(catalog, model, task, deployment, sizes, version, distribution, weights, runtime)
    points = tuple(SweepPoint(batch_size=size, repeats=repeats) for size in sizes)
    return sweep.model_copy(update={"points": points, "note": note})


def _from_folder(model: Model, folder: str, weights: Weights | None) -> tuple[Model, Weights]:
    if not Path(folder).is_absolute():
        raise CatalogError(f"weights folder {folder!r}: give its path from / on")
    if weights not in (None, Weights.REAL):
        raise CatalogError(f"a folder of weights holds real weights, not {weights}: leave out one of them")
    return model.model_copy(update={"weights_folder": folder, "weights": Weights.REAL}), Weights.REAL


def require_gpu_or_wish(model: Model, task: Task, machine: Machine, *, wanted: int | None) -> None:
    """Refuse to measure a model of GPUs on a CPU unless somebody asked for no GPU (`wanted` is 0).

    The catalog says by its deployments whether a model is meant for CPUs.

    Raises:
        CatalogError: it is not, the machine has no GPU, and nobody asked for that.
    """
    if machine.has_gpu or wanted == 0 or task not in model.tasks:
        return
    if not any(deployment.num_gpus == 0 for deployment in model.tasks[task].deployments):
        raise CatalogError(
            f"{model.model_id} is measured on GPUs, and this machine has none: run it on a GPU host, or "
            "measure the CPU (--gpus 0)"
        )


def gpus_to_use(machine: Machine, wanted: int | None) -> int:
    """How many GPUs of a machine a sweep uses: `wanted`, or one by default.

    Raises:
        SettingsError: the machine has fewer GPUs.
    """
    count = min(1, machine.num_gpus) if wanted is None else wanted
    if (count == 0) != (machine.num_gpus == 0):
        raise SettingsError(
            f"{count} GPUs do not fit GPU model {machine.gpu_model}: the machine has {machine.num_gpus} GPUs"
        )
    if count > machine.num_gpus:
        raise SettingsError(
            f"{count} GPUs are more than the host has: {machine.num_gpus}x {machine.gpu_model}"
        )
    return count


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
