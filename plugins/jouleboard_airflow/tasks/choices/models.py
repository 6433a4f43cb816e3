"""The model, the task and the weights that a form asks for."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from typing import TYPE_CHECKING

from benchmark_tasks.vocabulary import RuntimeName, Task, Weights
from jouleboard_airflow.gpu_hosts import GpuHosts, read_fleet
from jouleboard_airflow.offers import WITHOUT_GPU, deployments_on, model_title, task_title
from jouleboard_airflow.tasks.choices.misfit import Misfit, any_of, on, shown

if TYPE_CHECKING:
    from benchmark_tasks.catalog import Catalog, Model


def task_named(name: object) -> Task | None:
    """The task with this id, if there is one."""
    return Task(name) if isinstance(name, str) and name in set(Task) else None


def unknown_model(field: str, name: object, catalog: Catalog, host: GpuHosts | None) -> Misfit:
    """A model that is not in the catalog; similar ones, or those that such a host can measure."""
    near = difflib.get_close_matches(str(name), list(catalog.models), n=3, cutoff=0.5)
    fits = f"did you mean {any_of(near)}?" if near else models_for(catalog, host, None)
    return Misfit(field, f"{shown(name)} is not in the catalog", fits)


def models_for(catalog: Catalog, host: GpuHosts | None, task: Task | None) -> str:
    """What to choose: models that such a host can measure on a task.

    host, task: None for any host of this installation, or any task. If no model is measured on the task,
    models of any task.
    """
    hosts = (host,) if host else (*read_fleet(), WITHOUT_GPU)
    models = {
        model.model_id: model
        for each in hosts
        for model, its_task, _ in deployments_on(catalog, each)
        if task in (None, its_task)
    }
    if not models and task is not None:
        return models_for(catalog, host, None)
    if not models:
        return "use benchmark_on_demand, and write Batch sizes there"
    where = "here" if host is None else f"on {on(host)}"
    return (
        f"choose {any_of([model_title(model) for model in models.values()])}, which can be measured {where}"
    )


def wrong_task(
    name: object, task: Task | None, model: Model | None, catalog: Catalog, field: str = "task"
) -> Misfit:
    """A task that does not exist, or that the model is not measured on."""
    choices = list(model.tasks) if model else list(catalog.tasks)
    fits = f"choose {any_of([task_title(catalog, each) for each in choices])}"
    if task is None or model is None:
        return Misfit(field, f"there is no task {shown(name)}", fits)
    return Misfit(field, f"{model_title(model)} is not measured on {task_title(catalog, task)}", fits)


def impossible_weights(wanted: str | None, models: Collection[Model], runtime: RuntimeName) -> list[Misfit]:
    """Weights that none of the models can have under the runtime."""
    if not wanted or not models:
        return []
    if wanted not in set(Weights):
        return [Misfit("weights", f"there are no {shown(wanted)} weights", f"choose {any_of(list(Weights))}")]
    if any(wanted in _possible_weights(model, runtime) for model in models):
        return []
    model = next(iter(models))
    return [
        Misfit(
            "weights",
            f"{model_title(model)} cannot be measured with {wanted} weights: {_why_not(wanted)}",
            f"choose {any_of(_possible_weights(model, runtime))}, or leave it empty",
        )
    ]


def impossible_folder(folder: str, weights: str | None) -> list[Misfit]:
    """A folder of weights that is no whole path, or other weights than those that a folder holds.

    What is in the folder is looked at on the host that measures.
    """
    misfits = []
    if not folder.startswith("/") or not folder.isprintable():
        misfits.append(Misfit("weights_folder", f"{shown(folder)} is not a whole path", "write it from / on"))
    if weights not in (None, "", Weights.REAL.value):
        why = f"a folder holds real weights, not {weights}"
        misfits.append(Misfit("weights", why, "choose real, or leave it empty"))
    return misfits


def _possible_weights(model: Model, runtime: RuntimeName) -> list[str]:
    from benchmark_tasks.plan.deployment import can_have
    from benchmark_tasks.runtimes.kinds import ServerContract, kind_of

    served = isinstance(kind_of(runtime).contract, ServerContract)
    # A model of our own is made up: nobody publishes weights of it. Each kind of runtime has its own way to
    # draw weights.
    own_way = Weights.DUMMY if served else Weights.RANDOM
    return [
        weights.value
        for weights in Weights
        if can_have(model, weights, runtime)
        and not (weights is Weights.REAL and _is_made_up(model))
        and not (weights in (Weights.DUMMY, Weights.RANDOM) and weights is not own_way)
    ]


def _is_made_up(model: Model) -> bool:
    return model.weights in (Weights.DUMMY, Weights.RANDOM)


def _why_not(wanted: str) -> str:
    if wanted == Weights.REAL:
        return "nobody publishes weights of it"
    return "the catalog does not know how to make them"
