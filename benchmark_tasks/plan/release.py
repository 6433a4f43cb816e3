"""What is still to be measured for a release: the catalog's configurations that are not landed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmark_tasks.catalog import Catalog, Deployment, Model
from benchmark_tasks.plan.deployment import can_have, distribution_of, sweep_of, usual_repeats
from benchmark_tasks.plan.landed import runs_that_count, what_is_missing
from benchmark_tasks.plan.rates import at_rates, at_rates_of_policy
from benchmark_tasks.plan.real_weights import named_if_readable
from benchmark_tasks.plan.sweep import Plan, Sweep
from benchmark_tasks.plan.versions import normal_version, release_of, spelled_as_one_of, version_to_measure
from benchmark_tasks.results.schema import Run
from benchmark_tasks.results.store import Listing
from benchmark_tasks.settings import Settings
from benchmark_tasks.vocabulary import Architecture, RuntimeName, Task, Weights

if TYPE_CHECKING:
    from benchmark_tasks.host.machine import Machine


def plan_release_on(
    machines: Iterable[Machine],
    catalog: Catalog,
    listing: Listing,
    settings: Settings,
    *,
    runtime: RuntimeName,
    version: str | None,
    offline: bool = False,
    **options: Any,
) -> Plan:
    """What several machines, one per GPU model, still have to measure for a release.

    version: if `None`, the newest one that each machine can measure. offline: see `version_to_measure`.
    options: those of `plan_release`.

    Raises:
        CatalogError, UnknownVersion, NoBuildHere, IndexUnreachable
    """
    sweeps: list[Sweep] = []
    for machine in machines:
        chosen = version_to_measure(
            catalog, runtime, version, has_gpu=machine.has_gpu, settings=settings, offline=offline
        )
        sweeps += plan_release(
            catalog,
            listing,
            runtime=runtime,
            runtime_version=chosen,
            gpu_model=machine.gpu_model,
            gpus=machine.num_gpus,
            named=partial(named_if_readable, catalog=catalog, settings=settings),
            **options,
        ).sweeps
    return Plan(sweeps=tuple(sweeps))


def _as_landed(runtime: RuntimeName, version: str, listing: Listing) -> str:
    """The spelling of a release in most runs that landed of it; as it is, where there are none."""
    keys = (run.comparability for run, _ in listing.runs)
    landed = Counter(release_of(key.runtime_version) for key in keys if key.runtime == runtime)
    return spelled_as_one_of(version, (each for each, _ in landed.most_common())) or version


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
    rates: Sequence[str] = (),
    sleep_levels: Sequence[int] = (),
    named: Callable[[Sweep], Sweep] = lambda sweep: sweep,
) -> Plan:
    """What a machine with `gpus` GPUs of one model still has to measure for a runtime version.

    A point is planned for as many repeats as are missing to `repeats` completed runs (default 3
    with a GPU, 1 without); runs at another revision of the model are not among them. A point that did
    not fit the device is not tried again. `force` plans every point anew, but for what the campaign itself
    has landed. `models` and `tasks` narrow the choice; `weights` replaces the usual ones
    (`usual_weights`), for the models that can have them. `rates` asks for requests that arrive at these rates
    instead, of models whose tasks have any, `sleep_levels` at rate 0 for sleep after it (`at_rates`); without
    rates, the policy's come after a model's batch sizes (`CanaryPolicy.loads`). Small models come first: a
    release that is broken shows on the cheapest sweep. `named` gives a sweep the identity of its weights, if
    it is known here.

    Raises:
        CatalogError: a model is not in the catalog.
        UnknownVersion: `runtime_version` is not a version number.
    """
    version = _as_landed(runtime, normal_version(runtime_version), listing)
    distribution = distribution_of(catalog, runtime, gpu_model)
    if distribution is None:
        return Plan(sweeps=())
    wanted = usual_repeats(gpu_model) if repeats is None else repeats
    runs = [run for run, _ in listing.runs]
    counting = runs_that_count(runs, campaign_id=campaign_id, force=force)
    sweeps = []
    for model, task, deployment in _offered(catalog, runtime, gpu_model, gpus, models, tasks, weights):
        sweep = sweep_of(
            catalog, model, task, deployment, deployment.batch_sizes, version, distribution, weights, runtime
        )
        points = tuple(point.model_copy(update={"repeats": wanted}) for point in sweep.points)
        update = {"campaign_id": campaign_id, "note": note, "points": points}
        closed = named(sweep.model_copy(update=update))
        if not rates:
            sweeps += [closed, *_of_policy(catalog, closed, runs)]
        elif task.architecture is not Architecture.DIFFUSION:
            sweeps.append(at_rates(closed, rates, runs, sleep_levels=sleep_levels))
    return Plan(sweeps=tuple(what_is_missing(sweeps, counting)))


def _of_policy(catalog: Catalog, sweep: Sweep, runs: Sequence[Run]) -> Iterator[Sweep]:
    """The sweep at the rates that the policy wants of its model and task."""
    for load in catalog.canaries.loads:
        if (load.model_id, load.task) == (sweep.model_id, sweep.task):
            opened = at_rates_of_policy(sweep, load.rates, runs)
            if opened is not None:
                yield opened


def is_canary(catalog: Catalog, sweep: Sweep) -> bool:
    """Whether a sweep is measured before all others: a canary model on one GPU, or on a CPU."""
    return sweep.model_id in catalog.canaries.models and sweep.num_gpus <= 1


def superseded(catalog: Catalog, models: Iterable[str], revision: str) -> Model | None:
    """The first of the models whose current revision is another one than `revision`."""
    known = (catalog.model(model_id) for model_id in models)
    return next((model for model in known if model.revision != revision), None)


def _offered(
    catalog: Catalog,
    runtime: RuntimeName,
    gpu_model: str,
    gpus: int,
    models: Sequence[str] | None,
    tasks: Sequence[Task] | None,
    weights: Weights | None,
) -> Iterator[tuple[Model, Task, Deployment]]:
    """The catalog's deployments for such a machine, cheapest first, always in the same order."""
    chosen = catalog.models.values() if not models else [catalog.model(model_id) for model_id in models]
    offers = [
        (model, task, deployment)
        for model in chosen
        if _is_measured_on(catalog, model, runtime) and can_have(model, weights, runtime)
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
