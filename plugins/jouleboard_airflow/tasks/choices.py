"""Which choices of a form are impossible on this installation, why, and what fits instead.

The first task of a run calls these checks, and reports all impossible fields of its form in one message.
The form itself checks only one field at a time. Imported by DAG files, so everything heavy is imported inside
the functions.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmark_tasks.errors import CatalogError, IndexUnreachable, SettingsError, UnknownVersion, one_line
from benchmark_tasks.results.identity import NO_GPU
from benchmark_tasks.vocabulary import Architecture, RuntimeName, Task, Weights
from jouleboard_airflow.gpu_hosts import GpuHosts, reachable_hosts, read_fleet
from jouleboard_airflow.offers import (
    WITHOUT_GPU,
    deployments_on,
    hosts_title,
    model_title,
    runs_on,
    task_title,
    weights_gib,
)

if TYPE_CHECKING:
    from benchmark_tasks.catalog import Catalog, Model
    from benchmark_tasks.settings import Settings

TITLES = {
    "answer_within_hours": "Hours to answer",
    "approve": "Approve",
    "ask_above_gpu_hours": "Ask above (GPU-hours)",
    "batch_sizes": "Batch sizes",
    "force": "Force",
    "gpu_model": "GPU model",
    "hub": "Ask the model hub",
    "model": "Model",
    "model_id": "Model",
    "models": "Models",
    "note": "Note",
    "num_gpus": "Number of GPUs",
    "repeats": "Repeats",
    "revision": "Revision",
    "runtime": "Runtime",
    "sample": "Sample",
    "source": "Source",
    "task": "Task",
    "tasks": "Tasks",
    "version": "Version",
    "weights": "Weights",
}
"""Title of each field, as the forms show it, by its name."""

ON_DEMAND = (
    "model",
    "task",
    "gpu_model",
    "num_gpus",
    "batch_sizes",
    "version",
    "repeats",
    "weights",
    "force",
    "note",
)
RELEASE = (
    "runtime",
    "version",
    "models",
    "tasks",
    "repeats",
    "weights",
    "gpu_model",
    "force",
    "revision",
    "note",
    "ask_above_gpu_hours",
    "approve",
    "answer_within_hours",
)
RECHECK = ("sample", "repeats", "gpu_model", "note")
REFRESH = ("note", "approve", "answer_within_hours")
IMPORT = ("source", "note")
PROPOSE = ("model_id", "gpu_model", "answer_within_hours")
"""Names of the fields of each form; `watch_releases` has one field per watched project, too."""

LONGEST_TEXT = 2000
"""Characters of a note or a reason."""

LARGEST_BATCH_SIZE = 16_384
"""Each request in flight has a connection of its own, and Linux has about 28,000 ports for them."""

_NAMED = 6
"""How many possible choices a message names."""


@dataclass(frozen=True)
class Misfit:
    """A field with an impossible value. why: one clause. fits: what to do or to choose instead."""

    field: str
    why: str
    fits: str

    def __str__(self) -> str:
        return one_line(f"{TITLES.get(self.field, self.field)}: {self.why}; {self.fits}")


class Impossible(SettingsError):
    """A form asks for something that cannot be done here; the message names each such field."""

    def __init__(self, misfits: Iterable[Misfit]) -> None:
        self.misfits = tuple(misfits)
        super().__init__(" | ".join(map(str, self.misfits)))


def require_possible(misfits: Iterable[Misfit]) -> None:
    """Check that there is no misfit.

    Raises:
        Impossible: there are some; one message names them all.
    """
    if found := tuple(misfits):
        raise Impossible(found)


def on_demand(params: Mapping[str, Any], catalog: Catalog, settings: Settings) -> list[Misfit]:
    """The impossible fields of the form of a single measurement.

    Raises:
        IndexUnreachable: nothing else is impossible, and the package index did not say whether the version
            exists.
    """
    misfits = [*_shared(params, ON_DEMAND)]
    model = catalog.models.get(params["model"])
    task = _task(params["task"])
    host = _host(params["gpu_model"])
    if model is None:
        misfits.append(_unknown_model("model", params["model"], catalog, host))
    if task is None or (model and task not in model.tasks):
        misfits.append(_wrong_task(params["task"], task, model, catalog))
    if host is None:
        misfits.append(_no_such_host(params["gpu_model"]))
    elif host is not WITHOUT_GPU and host.gpu_model not in [each.gpu_model for each in reachable_hosts()]:
        misfits.append(_not_reached(host))
    sizes = _batch_sizes(params["batch_sizes"])
    if isinstance(sizes, Misfit):
        misfits.append(sizes)
    if host:
        misfits += _number_of_gpus(params, host)
    if model:
        misfits += _weights(params.get("weights"), [model], model.runtime)
    if model and host and (misfit := _without_room(params, catalog, model, task, host)):
        misfits.append(misfit)
    if model and task in model.tasks and host and not misfits:
        misfits += _placed(params, catalog, model, task, host)
    if model and host:
        misfits += _version(params["version"], model.runtime, host, catalog, settings, rest=bool(misfits))
    return misfits


def release(params: Mapping[str, Any], catalog: Catalog) -> list[Misfit]:
    """The impossible fields of the form of a release, as far as the package index need not be asked."""
    misfits = [*_shared(params, RELEASE)]
    models, tasks = params["models"] or [], params["tasks"] or []
    runtime, wanted = params["runtime"], params["gpu_model"]
    known = [catalog.models[name] for name in models if isinstance(name, str) and name in catalog.models]
    misfits += [
        _unknown_model("models", name, catalog, None)
        for name in models
        if not isinstance(name, str) or name not in catalog.models
    ]
    misfits += [_wrong_task(name, None, None, catalog, "tasks") for name in tasks if _task(name) is None]
    if params.get("revision") and not models:
        misfits.append(Misfit("revision", "a revision belongs to a model", "name the model in Models"))
    if wanted is not None and _host(wanted) is None:
        misfits.append(_no_such_host(wanted))
    misfits += _runtime(runtime, wanted, catalog)
    misfits += _weights(params.get("weights"), known, runtime)
    if not misfits and (models or tasks):
        misfits += _nothing_left(runtime, known, tasks, wanted, catalog)
    return misfits


def texts(params: Mapping[str, Any], fields: Collection[str]) -> list[Misfit]:
    """The impossible fields of a form with texts only, and unknown fields."""
    return [*_shared(params, fields)]


def with_gpu_model(params: Mapping[str, Any], fields: Collection[str]) -> list[Misfit]:
    """The impossible fields of a form with texts and a GPU model."""
    wanted = params.get("gpu_model")
    misfits = texts(params, fields)
    return misfits if wanted is None or _host(wanted) else [*misfits, _no_such_host(wanted)]


def of_import(params: Mapping[str, Any]) -> list[Misfit]:
    """The impossible fields of the form of an import, as far as the source need not be read."""
    source = params.get("source")
    misfits = texts(params, IMPORT)
    problem = None if source is None else _source_problem(source)
    return misfits if problem is None else [*misfits, Misfit("source", *problem)]


def _source_problem(source: str) -> tuple[str, str] | None:
    import httpx

    fits = "write the whole path of a folder with index.json, tasks/ and models/, or an http(s) address"
    if problem := _problem(source, is_reason=False):
        return problem
    if source.startswith(("http://", "https://")):
        try:
            host = httpx.URL(source).host
        except httpx.InvalidURL as error:
            return f"{_shown(source)} is not an address ({error})", fits
        return None if host else (f"{_shown(source)} names no host", fits)
    if not source.strip():
        return "is empty", f"{fits}, or leave it empty for ML.ENERGY's public address"
    if "://" in source or not source.startswith(("/", "~")):
        return f"{_shown(source)} is neither a whole path nor an http(s) address", fits
    return None


def _shared(params: Mapping[str, Any], fields: Collection[str]) -> Iterator[Misfit]:
    for name in params:
        if name not in fields:
            near = difflib.get_close_matches(str(name), fields, n=1)
            fits = f"did you mean {near[0]}?" if near else f"the fields are {', '.join(fields)}"
            yield Misfit(_shown(name), "the form has no such field", fits)
    for name in ("note", "approve"):
        text = params.get(name)
        if isinstance(text, str) and (problem := _problem(text, is_reason=name == "approve")):
            yield Misfit(name, *problem)


def _problem(text: str, *, is_reason: bool) -> tuple[str, str] | None:
    if len(text) > LONGEST_TEXT:
        return f"{len(text)} characters", f"write at most {LONGEST_TEXT}"
    if any(unicodedata.category(sign) in ("Cc", "Cs") for sign in text if sign not in "\t\r\n"):
        return "has control characters", "write plain text"
    if is_reason and not text.strip():
        return "has no words", "write a reason, or leave it empty"
    return None


def _task(name: object) -> Task | None:
    return Task(name) if isinstance(name, str) and name in set(Task) else None


def _host(wanted: str | None) -> GpuHosts | None:
    """The host that the form's GPU model names; without a name, the only one that there is."""
    fleet = read_fleet()
    if wanted == NO_GPU or (wanted is None and not fleet):
        return WITHOUT_GPU
    named = [host for host in fleet if wanted in (None, host.gpu_model)]
    return named[0] if len(named) == 1 else None


def _no_such_host(wanted: object) -> Misfit:
    fleet = read_fleet()
    if wanted is None:
        why = "there are several GPU models here"
    elif fleet:
        why = f"no GPU host of this installation has {_shown(wanted)}, only {hosts_title(fleet)}"
    else:
        why = f"this installation has no GPU host, so none with {_shown(wanted)}"
    choices = [*(host.gpu_model for host in fleet), "no GPU (none)"]
    return Misfit("gpu_model", why, f"choose {_or(choices)}")


def _not_reached(host: GpuHosts) -> Misfit:
    why = f"{host.gpu_model} is planned for (JOULEBOARD_FLEET), but this machine, which measures, has none"
    choices = [*(each.gpu_model for each in reachable_hosts()), "no GPU (none)"]
    return Misfit("gpu_model", why, f"choose {_or(choices)}, or let a GPU host join")


def _unknown_model(field: str, name: object, catalog: Catalog, host: GpuHosts | None) -> Misfit:
    near = difflib.get_close_matches(str(name), list(catalog.models), n=3, cutoff=0.5)
    fits = f"did you mean {_or(near)}?" if near else _models_for(catalog, host, None)
    return Misfit(field, f"{_shown(name)} is not in the catalog", fits)


def _models_for(catalog: Catalog, host: GpuHosts | None, task: Task | None) -> str:
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
        return _models_for(catalog, host, None)
    if not models:
        return "use benchmark_on_demand, and write Batch sizes there"
    where = "here" if host is None else f"on {_on(host)}"
    return f"choose {_or([model_title(model) for model in models.values()])}, which can be measured {where}"


def _wrong_task(
    name: object, task: Task | None, model: Model | None, catalog: Catalog, field: str = "task"
) -> Misfit:
    choices = list(model.tasks) if model else list(catalog.tasks)
    fits = f"choose {_or([task_title(catalog, each) for each in choices])}"
    if task is None or model is None:
        return Misfit(field, f"there is no task {_shown(name)}", fits)
    return Misfit(field, f"{model_title(model)} is not measured on {task_title(catalog, task)}", fits)


def _number_of_gpus(params: Mapping[str, Any], host: GpuHosts) -> list[Misfit]:
    """A number that the host does not have."""
    number = params["num_gpus"]
    if number is None or (host is WITHOUT_GPU and number == 0):
        return []
    if host is WITHOUT_GPU:
        others = [f"{each.gpu_model} as GPU model" for each in read_fleet()]
        return [
            Misfit(
                "num_gpus",
                f'{number} contradicts the GPU model "no GPU"',
                f"leave it empty{', or choose ' + _or(others) if others else ''}",
            )
        ]
    if number == 0:
        fits = f'choose 1 to {host.gpus}, or the GPU model "no GPU"'
        return [Misfit("num_gpus", f"0 contradicts the GPU model {host.gpu_model}", fits)]
    if not 0 < number <= host.gpus:
        return [Misfit("num_gpus", f"a host has {host.gpus} {host.gpu_model}, not {number}", _to(host.gpus))]
    return []


def _batch_sizes(text: str | None) -> tuple[int, ...] | Misfit:
    parts = (text or "").replace(",", " ").split()
    numbers = [int(part) for part in parts if part.isascii() and part.isdecimal() and len(part) < 20]
    if len(numbers) < len(parts) or not all(numbers):
        return Misfit(
            "batch_sizes", f"{_shown(text)} has no whole numbers from 1 on", "write, for example, 8, 32, 128"
        )
    if numbers and max(numbers) > LARGEST_BATCH_SIZE:
        why = f"{max(numbers)} requests in flight need more connections than one machine has ports"
        return Misfit("batch_sizes", why, f"choose at most {LARGEST_BATCH_SIZE}")
    return tuple(sorted(set(numbers)))


def _weights(wanted: str | None, models: Collection[Model], runtime: RuntimeName) -> list[Misfit]:
    """Weights that none of the models can have under the runtime."""
    if not wanted or not models:
        return []
    if wanted not in set(Weights):
        return [Misfit("weights", f"there are no {_shown(wanted)} weights", f"choose {_or(list(Weights))}")]
    if any(wanted in _possible_weights(model, runtime) for model in models):
        return []
    model = next(iter(models))
    return [
        Misfit(
            "weights",
            f"{model_title(model)} cannot be measured with {wanted} weights: {_why_not(wanted)}",
            f"choose {_or(_possible_weights(model, runtime))}, or leave it empty",
        )
    ]


def _possible_weights(model: Model, runtime: RuntimeName) -> list[str]:
    from benchmark_tasks.plan.deployment import can_have
    from benchmark_tasks.runtimes.kinds import ServerContract, kind_of

    served = isinstance(kind_of(runtime).contract, ServerContract)
    # A model of ours is a made-up one: nobody publishes weights of it. Each kind of runtime has its own
    # way to draw weights.
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


def _without_room(
    params: Mapping[str, Any], catalog: Catalog, model: Model, task: Task | None, host: GpuHosts
) -> Misfit | None:
    """A model that cannot be measured on any task on so many GPUs of a host."""
    from benchmark_tasks.runtimes.kinds import kind_of

    kind, number = kind_of(model.runtime), _number(params, host)
    if not runs_on(catalog, model, host.gpu_model):
        why = f"{model_title(model)} runs on {kind.title}, which needs a GPU"
        return Misfit("model", why, _models_for(catalog, host, task) + _or_elsewhere(catalog, model, task))
    if kind.maximum_gpus is not None and number > kind.maximum_gpus:
        return Misfit("num_gpus", f"{kind.title} runs on one GPU at most", _to(kind.maximum_gpus))
    return _too_large(catalog, model, task, host, number)


def _number(params: Mapping[str, Any], host: GpuHosts) -> int:
    """The number of GPUs that the form asks for; on a host, one by default."""
    number = params["num_gpus"]
    return min(1, host.gpus) if number is None else max(0, min(int(number), host.gpus))


def _placed(
    params: Mapping[str, Any], catalog: Catalog, model: Model, task: Task, host: GpuHosts
) -> list[Misfit]:
    """What is wrong with a model on a task on so many GPUs of a host, each of which is possible."""
    number, deployed = _number(params, host), _deployed(model, task, host)
    if number in deployed:
        return []
    if (heads := _heads(model, task)) and number and heads % number:
        fitting = [str(each) for each in range(1, host.gpus + 1) if heads % each == 0]
        why = (
            f"the {heads} attention heads of {model_title(model)} cannot be spread evenly over {number} GPUs"
        )
        return [Misfit("num_gpus", why, f"choose {_or(fitting)}")]
    if params["batch_sizes"]:
        return []
    return [_without_batch_sizes(catalog, model, task, host, number, deployed)]


def _deployed(model: Model, task: Task, host: GpuHosts) -> list[int]:
    """Numbers of GPUs of such a host that the catalog has batch sizes for."""
    numbers = {
        deployment.num_gpus
        for deployment in model.tasks[task].deployments
        if deployment.gpu_model == host.gpu_model and deployment.num_gpus <= host.gpus
    }
    return sorted(numbers)


def _without_batch_sizes(
    catalog: Catalog, model: Model, task: Task | None, host: GpuHosts, number: int, deployed: list[int]
) -> Misfit:
    why = f"the catalog has no batch sizes for {model_title(model)} on {_on(host, number)}"
    if deployed:
        return Misfit("num_gpus", why, f"choose {_or(list(map(str, deployed)))}, or write Batch sizes")
    elsewhere = _elsewhere(catalog, model, task)
    if elsewhere:
        return Misfit("gpu_model", why, f"choose {_or(elsewhere)}, or write Batch sizes")
    return Misfit("batch_sizes", why, f"write some, for example 8, 32, or {_models_for(catalog, host, task)}")


def _elsewhere(catalog: Catalog, model: Model, task: Task | None) -> list[str]:
    """GPU models of this installation that the catalog measures the model on, with the number of GPUs."""
    if task not in model.tasks:
        task = next(iter(model.tasks))
    return [
        f"{host.gpu_model} (number of GPUs: {_or(list(map(str, numbers)))})"
        for host in read_fleet()
        if runs_on(catalog, model, host.gpu_model) and (numbers := _deployed(model, task, host))
    ]


def _or_elsewhere(catalog: Catalog, model: Model, task: Task | None) -> str:
    elsewhere = _elsewhere(catalog, model, task)
    return f", or as GPU model {_or(elsewhere)}" if elsewhere else ""


def _too_large(
    catalog: Catalog, model: Model, task: Task | None, host: GpuHosts, number: int
) -> Misfit | None:
    """A model whose weights alone are larger than the memory."""
    wanted = weights_gib(model)
    each = _memory_gib(catalog, host)
    if each is None or wanted <= each * max(number, 1):
        return None
    memory = f"{_on(host, number)} has {each * max(number, 1):.0f} GiB of memory"
    why = f"the weights of {model_title(model)} take {wanted:.0f} GiB, and {memory}"
    if wanted <= each * host.gpus:
        fitting = [str(count) for count in host.sizes if wanted <= each * count]
        return Misfit("num_gpus", why, f"choose {_or(fitting)}")
    return Misfit("model", why, _models_for(catalog, host, task) + _or_elsewhere(catalog, model, task))


def _memory_gib(catalog: Catalog, host: GpuHosts) -> float | None:
    """Memory of one GPU, or of this machine; None if nothing is known of the machine that measures."""
    if host is not WITHOUT_GPU:
        return catalog.gpus[host.gpu_model].memory_gib if host.gpu_model in catalog.gpus else None
    import psutil
    from airflow.sdk import conf

    elsewhere = conf.get("jouleboard", "measure_queue", fallback=None)
    return None if elsewhere else float(psutil.virtual_memory().total) / 2**30


def _heads(model: Model, task: Task) -> int | None:
    """Attention heads, which GPUs share between them; None if the catalog does not say."""
    if task.architecture is Architecture.DIFFUSION:
        transformer = model.pipeline.components.get("transformer") if model.pipeline else None
        heads = transformer.config.get("num_attention_heads") if transformer else None
    else:
        config: Mapping[str, Any] = model.hub_config or {}
        inner = config.get("text_config")
        heads = (inner if isinstance(inner, Mapping) else config).get("num_attention_heads")
    return heads if isinstance(heads, int) else None


def _runtime(runtime: RuntimeName, wanted: str | None, catalog: Catalog) -> list[Misfit]:
    """A runtime that this installation does not know, or that needs a GPU where none is asked for."""
    projects = (*catalog.watch.projects, *catalog.watch.on_demand)
    names = [project.runtime for project in projects]
    if runtime not in names:
        return [Misfit("runtime", f"there is no runtime {_shown(runtime)}", f"choose {_or(names)}")]
    fleet = read_fleet()
    has_gpu = bool(fleet) if wanted is None else wanted != NO_GPU
    if has_gpu or catalog.project_of(runtime).distribution(has_gpu=False) is not None:
        return []
    fitting = [each.runtime for each in projects if each.distribution(has_gpu=False)]
    others = f", or as GPU model {_or([host.gpu_model for host in fleet])}" if fleet else ""
    return [Misfit("runtime", f"{_title_of(runtime)} needs a GPU", f"choose {_or(fitting)}{others}")]


def _nothing_left(
    runtime: RuntimeName, models: list[Model], tasks: list[str], wanted: str | None, catalog: Catalog
) -> list[Misfit]:
    """Models and tasks that exist, but not with each other, with the runtime or on the GPUs."""
    also = catalog.project_of(runtime).models
    chosen = models or list(catalog.models.values())
    running = [model for model in chosen if model.runtime == runtime or model.model_id in also]
    if models and not running:
        own = sorted({model.runtime for model in models})
        why = f"{_or([model_title(model) for model in models])} is not measured on {_title_of(runtime)}"
        return [Misfit("models", why, f"choose {_or(own)} as Runtime")]
    with_task = [model for model in running if not tasks or set(model.tasks) & set(tasks)]
    if not with_task:
        possible = sorted({task for model in running for task in model.tasks})
        which = "the chosen models are" if models else f"{_title_of(runtime)} is"
        why = f"{which} not measured on {_or(tasks)}"
        return [Misfit("tasks", why, f"choose {_or([task_title(catalog, task) for task in possible])}")]
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
    where = _or([_on(host) for host in hosts])
    why = f"the catalog has no deployment of {_or(titles)} on {where}"
    return [Misfit(field, why, _models_for(catalog, hosts[0] if len(hosts) == 1 else None, None))]


def _is_wanted(host: GpuHosts, wanted: str | None) -> bool:
    if wanted is None:
        return (host is WITHOUT_GPU) == (not read_fleet())
    return host.gpu_model == wanted


def _version(
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
    return f"choose {_or(versions[:-4:-1])}, or leave it empty" if versions else "choose another model"


def _title_of(runtime: RuntimeName) -> str:
    from benchmark_tasks.runtimes.kinds import kind_of

    return kind_of(runtime).title


def _on(host: GpuHosts, number: int | None = None) -> str:
    if host is WITHOUT_GPU:
        return "a machine without a GPU"
    return f"a host with {host.gpus} {host.gpu_model}" if number is None else f"{number} x {host.gpu_model}"


def _to(most: int) -> str:
    return "choose 1" if most == 1 else f"choose 1 to {most}"


def _or(choices: Collection[str]) -> str:
    """`a, b or c`; of many choices, the first ones and how many more there are."""
    names = [str(choice) for choice in choices]
    if len(names) > _NAMED:
        return f"{', '.join(names[:_NAMED])} or one of {len(names) - _NAMED} more"
    return " or ".join(filter(None, [", ".join(names[:-1]), *names[-1:]])) or "nothing: there is none"


def _shown(value: object) -> str:
    """A value of a form in a message: quoted, and cut if it is long."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
