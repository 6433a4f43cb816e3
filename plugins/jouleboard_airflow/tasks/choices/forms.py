"""The impossible fields of each form."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from jouleboard_airflow.gpu_hosts import reachable_hosts
from jouleboard_airflow.offers import WITHOUT_GPU
from jouleboard_airflow.tasks.choices.fields import IMPORT, ON_DEMAND, RELEASE
from jouleboard_airflow.tasks.choices.free_text import source_of_import, texts
from jouleboard_airflow.tasks.choices.hosts import host_asked_for, no_such_host, not_reached, number_of_gpus
from jouleboard_airflow.tasks.choices.misfit import Misfit
from jouleboard_airflow.tasks.choices.models import (
    impossible_folder,
    impossible_weights,
    task_named,
    unknown_model,
    wrong_task,
)
from jouleboard_airflow.tasks.choices.placement import (
    impossible_batch_sizes,
    impossible_burstiness,
    impossible_rates,
    impossible_sleep,
    impossible_together,
    too_much_for_gpus,
)
from jouleboard_airflow.tasks.choices.requests import impossible_requests
from jouleboard_airflow.tasks.choices.runtimes import impossible_runtime, impossible_version, nothing_left

if TYPE_CHECKING:
    from benchmark_tasks.catalog import Catalog
    from benchmark_tasks.settings import Settings


def on_demand(params: Mapping[str, Any], catalog: Catalog, settings: Settings) -> list[Misfit]:
    """The impossible fields of the form of a single measurement.

    Raises:
        IndexUnreachable: nothing else is impossible, and the package index did not say whether the version
            exists.
    """
    misfits = on_demand_here(params, catalog)
    model, host = catalog.models.get(params["model"]), host_asked_for(params["gpu_model"])
    if model and host:
        misfits += impossible_version(
            params["version"], model.runtime, host, catalog, settings, rest=bool(misfits)
        )
    return misfits


def on_demand_here(params: Mapping[str, Any], catalog: Catalog) -> list[Misfit]:
    """The same as far as the package index need not be asked."""
    misfits = texts(params, ON_DEMAND)
    model = catalog.models.get(params["model"])
    task = task_named(params["task"])
    host = host_asked_for(params["gpu_model"])
    if model is None:
        misfits.append(unknown_model("model", params["model"], catalog, host))
    if task is None or (model and task not in model.tasks):
        misfits.append(wrong_task(params["task"], task, model, catalog))
    if host is None:
        misfits.append(no_such_host(params["gpu_model"]))
    elif host is not WITHOUT_GPU and host.gpu_model not in [each.gpu_model for each in reachable_hosts()]:
        misfits.append(not_reached(host))
    misfit = impossible_batch_sizes(params["batch_sizes"])
    misfit = misfit or impossible_rates(params.get("rates"), params["batch_sizes"], task)
    misfit = misfit or impossible_burstiness(params.get("burstiness"), params.get("rates"))
    misfit = misfit or impossible_sleep(params, host)
    if misfit:
        misfits.append(misfit)
    if host:
        misfits += number_of_gpus(params, host)
    if misfit := impossible_requests(params, task):
        misfits.append(misfit)
    folder = params.get("weights_folder")
    if folder:
        misfits += impossible_folder(folder, params.get("weights"))
    elif model:
        misfits += impossible_weights(params.get("weights"), [model], model.runtime)
    if model and host and (misfit := too_much_for_gpus(params, catalog, model, task, host)):
        misfits.append(misfit)
    if model and task in model.tasks and host and not misfits:
        misfits += impossible_together(params, catalog, model, task, host)
    return misfits


def release(params: Mapping[str, Any], catalog: Catalog) -> list[Misfit]:
    """The impossible fields of the form of a release, as far as the package index need not be asked."""
    misfits = texts(params, RELEASE)
    models, tasks = params["models"] or [], params["tasks"] or []
    runtime, wanted = params["runtime"], params["gpu_model"]
    known = [catalog.models[name] for name in models if isinstance(name, str) and name in catalog.models]
    misfits += [
        unknown_model("models", name, catalog, None)
        for name in models
        if not isinstance(name, str) or name not in catalog.models
    ]
    misfits += [wrong_task(name, None, None, catalog, "tasks") for name in tasks if task_named(name) is None]
    if params.get("revision") and not models:
        misfits.append(Misfit("revision", "a revision belongs to a model", "name the model in Models"))
    if wanted is not None and host_asked_for(wanted) is None:
        misfits.append(no_such_host(wanted))
    misfits += impossible_runtime(runtime, wanted, catalog)
    misfits += impossible_weights(params.get("weights"), known, runtime)
    if not misfits and (models or tasks):
        misfits += nothing_left(runtime, known, tasks, wanted, catalog)
    return misfits


def with_gpu_model(params: Mapping[str, Any], fields: Collection[str]) -> list[Misfit]:
    """The impossible fields of a form with texts and a GPU model."""
    wanted = params.get("gpu_model")
    misfits = texts(params, fields)
    return misfits if wanted is None or host_asked_for(wanted) else [*misfits, no_such_host(wanted)]


def of_import(params: Mapping[str, Any]) -> list[Misfit]:
    """The impossible fields of the form of an import, as far as the source need not be read."""
    source = params.get("source")
    misfits = texts(params, IMPORT)
    misfit = None if source is None else source_of_import(source)
    return misfits if misfit is None else [*misfits, misfit]
