"""Whether a model can be measured on so many GPUs of a host, and with which batch sizes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from benchmark_tasks.errors import SettingsError, one_line
from benchmark_tasks.vocabulary import Architecture, Task
from jouleboard_airflow.gpu_hosts import GpuHosts, read_fleet
from jouleboard_airflow.offers import WITHOUT_GPU, model_title, runs_on, weights_gib
from jouleboard_airflow.tasks.choices.hosts import memory_gib, number_asked_for
from jouleboard_airflow.tasks.choices.misfit import Misfit, any_of, on, shown, up_to
from jouleboard_airflow.tasks.choices.models import models_for

if TYPE_CHECKING:
    from benchmark_tasks.catalog import Catalog, Model


LARGEST_BATCH_SIZE = 16_384
"""Each request in flight has a connection of its own, and Linux has about 28,000 ports for them."""


def impossible_batch_sizes(text: str | None) -> Misfit | None:
    """A list of batch sizes that is not one, or with one that is too large."""
    parts = (text or "").replace(",", " ").split()
    numbers = [int(part) for part in parts if part.isascii() and part.isdecimal() and len(part) < 20]
    if len(numbers) < len(parts) or not all(numbers):
        return Misfit(
            "batch_sizes", f"{shown(text)} has no whole numbers from 1 on", "write, for example, 8, 32, 128"
        )
    if numbers and max(numbers) > LARGEST_BATCH_SIZE:
        why = f"{max(numbers)} requests in flight need more connections than one machine has ports"
        return Misfit("batch_sizes", why, f"choose at most {LARGEST_BATCH_SIZE}")
    return None


def impossible_rates(text: str | None, batch_sizes: str | None, task: Task | None) -> Misfit | None:
    """A list of request rates that is not one, or of a task or batch sizes that it does not go with."""
    from benchmark_tasks.plan import read_rates

    try:
        rates = read_rates(text)
    except SettingsError as error:
        return Misfit("rates", one_line(error), "for example 0, 10%, 50%, 90%")
    if not rates:
        return None
    if task is not None and task.architecture is Architecture.DIFFUSION:
        return Misfit("rates", f"{task} has no requests that arrive", "leave it empty")
    if len(set((batch_sizes or "").replace(",", " ").split())) > 1:
        return Misfit("rates", "they go with one batch size, the most that is answered at once", "write one")
    return None


def impossible_burstiness(burstiness: float | None, rates: str | None) -> Misfit | None:
    """A burstiness of requests that do not arrive by themselves, or no number above 0."""
    if burstiness is None:
        return None
    if not isinstance(burstiness, int | float) or not 0 < burstiness < math.inf:
        return Misfit("burstiness", f"{shown(burstiness)} is no number above 0", "write 1, or nothing")
    if not (rates or "").strip():
        return Misfit("burstiness", "a closed loop has no arrivals", "write Request rates, or leave it empty")
    return None


def sleep_levels_of(params: Mapping[str, Any]) -> list[int]:
    """The levels of sleep that the form asks for."""
    wanted = params.get("sleep") or "none"
    return [] if wanted == "none" else [int(level) for level in wanted.split(",")]


def impossible_sleep(params: Mapping[str, Any], host: GpuHosts | None) -> Misfit | None:
    """Sleep of a server that has requests, or no GPU."""
    from benchmark_tasks.plan import read_rate, read_rates

    if not sleep_levels_of(params):
        return None
    rates = read_rates(params.get("rates"))
    if [read_rate(rate)[0] for rate in rates] != [0]:
        return Misfit("sleep", "it is measured without requests", "write 0 as Request rates")
    if host is WITHOUT_GPU:
        return Misfit("sleep", "a server can sleep on a GPU only", "choose none")
    return None


def too_much_for_gpus(
    params: Mapping[str, Any], catalog: Catalog, model: Model, task: Task | None, host: GpuHosts
) -> Misfit | None:
    """A model that cannot be measured on any task on so many GPUs of a host."""
    from benchmark_tasks.runtimes.kinds import kind_of

    kind, number = kind_of(model.runtime), number_asked_for(params, host)
    if not runs_on(catalog, model, host.gpu_model):
        why = f"{model_title(model)} runs on {kind.title}, which needs a GPU"
        return Misfit("model", why, models_for(catalog, host, task) + _or_elsewhere(catalog, model, task))
    if kind.maximum_gpus is not None and number > kind.maximum_gpus:
        return Misfit("num_gpus", f"{kind.title} runs on one GPU at most", up_to(kind.maximum_gpus))
    return _too_large(catalog, model, task, host, number)


def impossible_together(
    params: Mapping[str, Any], catalog: Catalog, model: Model, task: Task, host: GpuHosts
) -> list[Misfit]:
    """What is wrong with a model, a task and a number of GPUs together, if each is possible by itself."""
    number, deployed = number_asked_for(params, host), _deployed(model, task, host)
    if number in deployed:
        return []
    if (heads := _heads(model, task)) and number and heads % number:
        fitting = [str(each) for each in range(1, host.gpus + 1) if heads % each == 0]
        why = (
            f"the {heads} attention heads of {model_title(model)} cannot be spread evenly over {number} GPUs"
        )
        return [Misfit("num_gpus", why, f"choose {any_of(fitting)}")]
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
    why = f"the catalog has no batch sizes for {model_title(model)} on {on(host, number)}"
    if deployed:
        return Misfit("num_gpus", why, f"choose {any_of(list(map(str, deployed)))}, or write Batch sizes")
    elsewhere = _elsewhere(catalog, model, task)
    if elsewhere:
        return Misfit("gpu_model", why, f"choose {any_of(elsewhere)}, or write Batch sizes")
    return Misfit("batch_sizes", why, f"write some, for example 8, 32, or {models_for(catalog, host, task)}")


def _elsewhere(catalog: Catalog, model: Model, task: Task | None) -> list[str]:
    """GPU models of this installation that the catalog measures the model on, with the number of GPUs."""
    if task not in model.tasks:
        task = next(iter(model.tasks))
    return [
        f"{host.gpu_model} (number of GPUs: {any_of(list(map(str, numbers)))})"
        for host in read_fleet()
        if runs_on(catalog, model, host.gpu_model) and (numbers := _deployed(model, task, host))
    ]


def _or_elsewhere(catalog: Catalog, model: Model, task: Task | None) -> str:
    elsewhere = _elsewhere(catalog, model, task)
    return f", or as GPU model {any_of(elsewhere)}" if elsewhere else ""


def _too_large(
    catalog: Catalog, model: Model, task: Task | None, host: GpuHosts, number: int
) -> Misfit | None:
    """A model whose weights alone are larger than the memory."""
    wanted = weights_gib(model)
    each = memory_gib(catalog, host)
    if each is None or wanted <= each * max(number, 1):
        return None
    memory = f"{on(host, number)} has {each * max(number, 1):.0f} GiB of memory"
    why = f"the weights of {model_title(model)} take {wanted:.0f} GiB, and {memory}"
    if wanted <= each * host.gpus:
        fitting = [str(count) for count in host.sizes if wanted <= each * count]
        return Misfit("num_gpus", why, f"choose {any_of(fitting)}")
    return Misfit("model", why, models_for(catalog, host, task) + _or_elsewhere(catalog, model, task))


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
