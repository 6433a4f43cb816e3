"""The runtime and its version that a form asks for, and what they leave to measure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark_tasks.errors import CatalogError, IndexUnreachable, UnknownVersion
from benchmark_tasks.results.identity import NO_GPU
from benchmark_tasks.vocabulary import RuntimeName
from jouleboard_airflow.gpu_hosts import GpuHosts, read_fleet
from jouleboard_airflow.offers import WITHOUT_GPU, deployments_on, model_title, task_title
from jouleboard_airflow.tasks.choices.misfit import Misfit, any_of, on, shown
from jouleboard_airflow.tasks.choices.models import models_for

if TYPE_CHECKING:
    from benchmark_tasks.catalog import Catalog, Model
    from benchmark_tasks.settings import Settings


def impossible_runtime(runtime: RuntimeName, wanted: str | None, catalog: Catalog) -> list[Misfit]:
    """A runtime that this installation does not know, or that needs a GPU where none is asked for."""
    projects = (*catalog.watch.projects, *catalog.watch.on_demand)
    names = [project.runtime for project in projects]
    if runtime not in names:
        return [Misfit("runtime", f"there is no runtime {shown(runtime)}", f"choose {any_of(names)}")]
    fleet = read_fleet()
    has_gpu = bool(fleet) if wanted is None else wanted != NO_GPU
    if has_gpu or catalog.project_of(runtime).distribution(has_gpu=False) is not None:
        return []
    fitting = [each.runtime for each in projects if each.distribution(has_gpu=False)]
    others = f", or as GPU model {any_of([host.gpu_model for host in fleet])}" if fleet else ""
    return [Misfit("runtime", f"{_title_of(runtime)} needs a GPU", f"choose {any_of(fitting)}{others}")]


def nothing_left(
    runtime: RuntimeName, models: list[Model], tasks: list[str], wanted: str | None, catalog: Catalog
) -> list[Misfit]:
    """Models and tasks that exist, but not with each other, with the runtime or on the GPUs."""
    also = catalog.project_of(runtime).models
    chosen = models or list(catalog.models.values())
    running = [model for model in chosen if model.runtime == runtime or model.model_id in also]
    if models and not running:
        own = sorted({model.runtime for model in models})
        why = f"{any_of([model_title(model) for model in models])} is not measured on {_title_of(runtime)}"
        return [Misfit("models", why, f"choose {any_of(own)} as Runtime")]
    with_task = [model for model in running if not tasks or set(model.tasks) & set(tasks)]
    if not with_task:
        possible = sorted({task for model in running for task in model.tasks})
        which = "the chosen models are" if models else f"{_title_of(runtime)} is"
        why = f"{which} not measured on {any_of(tasks)}"
        return [Misfit("tasks", why, f"choose {any_of([task_title(catalog, task) for task in possible])}")]
    hosts = [host for host in (*read_fleet(), WITHOUT_GPU) if _is_wanted(host, wanted)]
    fitting = {
        model.model_id
        for host in hosts
        for model, task, _ in deployments_on(catalog, host)
        if not tasks or task in tasks
    }
    if any(model.model_id in fitting or model.runtime != runtime for model in with_task):
        return []
    field = "models" if models else "tasks"
    titles = [model_title(model) for model in with_task] if models else list(tasks)
    where = any_of([on(host) for host in hosts])
    why = f"the catalog has no deployment of {any_of(titles)} on {where}"
    return [Misfit(field, why, models_for(catalog, hosts[0] if len(hosts) == 1 else None, None))]


def _is_wanted(host: GpuHosts, wanted: str | None) -> bool:
    if wanted is None:
        return (host is WITHOUT_GPU) == (not read_fleet())
    return host.gpu_model == wanted


def impossible_version(
    version: str | None,
    runtime: RuntimeName,
    host: GpuHosts,
    catalog: Catalog,
    settings: Settings,
    *,
    rest: bool,
) -> list[Misfit]:
    """A version that does not exist, or not for such a host. rest: whether other fields are impossible."""
    from benchmark_tasks.plan import version_to_measure

    has_gpu = host is not WITHOUT_GPU
    if catalog.project_of(runtime).distribution(has_gpu=has_gpu) is None:
        return []
    try:
        version_to_measure(catalog, runtime, version, has_gpu=has_gpu, settings=settings)
    except UnknownVersion as error:
        why = str(error).partition(";")[0]
        return [Misfit("version", why, _versions_for(runtime, catalog, settings, has_gpu=has_gpu))]
    except IndexUnreachable:
        if not rest:
            raise
    return []


def _versions_for(runtime: RuntimeName, catalog: Catalog, settings: Settings, *, has_gpu: bool) -> str:
    from benchmark_tasks.plan import versions_to_measure

    try:
        versions = versions_to_measure(catalog.project_of(runtime), settings, has_gpu=has_gpu)
    except (IndexUnreachable, CatalogError):
        versions = []
    return f"choose {any_of(versions[:-4:-1])}, or leave it empty" if versions else "choose another model"


def _title_of(runtime: RuntimeName) -> str:
    from benchmark_tasks.runtimes.kinds import kind_of

    return kind_of(runtime).title
