"""What this installation can measure, from the catalog and the GPU hosts: for the forms and their checks.

Nothing is asked of the package index or a GPU, so that DAG files can call it whenever they are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmark_tasks.catalog import Catalog, Deployment, Model
from benchmark_tasks.results.identity import NO_GPU
from benchmark_tasks.settings import Settings
from benchmark_tasks.vocabulary import ModelKind, Task, WeightPrecision
from jouleboard_airflow.gpu_hosts import GpuHosts

WITHOUT_GPU = GpuHosts(NO_GPU, 0)
"""Measuring on the CPU, beside the scheduler or where the queue for it is."""

_FIRST_BATCH_SIZES = (8, 32)
"""Batch sizes to offer for GPUs that the catalog has no deployments for."""


@dataclass(frozen=True)
class Offer:
    """One combination of the form of a single measurement that works.

    batch_sizes: None if the catalog's are used.
    """

    model: Model
    task: Task
    gpu_model: str
    num_gpus: int
    batch_sizes: tuple[int, ...] | None = None


def offers_on(catalog: Catalog, host: GpuHosts) -> list[Offer]:
    """The combinations that the catalog has deployments for on such a host, cheapest first."""
    offers = [
        Offer(model, task, deployment.gpu_model, deployment.num_gpus)
        for model, task, deployment in deployments_on(catalog, host)
    ]
    return sorted(offers, key=lambda offer: (offer.num_gpus, offer.model.total_params_billions))


def deployments_on(catalog: Catalog, host: GpuHosts) -> Iterator[tuple[Model, Task, Deployment]]:
    """Models, tasks and deployments of the catalog that fit such a host, in the catalog's order."""
    for model in catalog.models.values():
        if not runs_on(catalog, model, host.gpu_model):
            continue
        for task, entry in model.tasks.items():
            for deployment in entry.deployments:
                if deployment.gpu_model == host.gpu_model and deployment.num_gpus <= host.gpus:
                    yield model, task, deployment


def runs_on(catalog: Catalog, model: Model, gpu_model: str) -> bool:
    """Whether the model's runtime has a package for this GPU model, or for machines without a GPU."""
    return catalog.project_of(model.runtime).distribution(has_gpu=gpu_model != NO_GPU) is not None


def first_offer(catalog: Catalog, hosts: tuple[GpuHosts, ...], settings: Settings | None) -> Offer | None:
    """What the form of a single measurement offers first; None if the catalog has nothing for these hosts.

    With GPUs, one of the GPU hosts comes first, because energy is measured only there. Of the combinations on
    a host, those come first whose runtime is installed on this machine, then the canaries of dense models,
    then small models.

    settings: of this machine; None if they cannot be read.
    """
    for host in (*hosts, WITHOUT_GPU):
        offers = offers_on(catalog, host) or _without_deployment(catalog, host)
        if offers:
            return min(offers, key=lambda offer: _rank(catalog, offer, settings))
    return None


def _rank(catalog: Catalog, offer: Offer, settings: Settings | None) -> tuple[bool, ...]:
    """False comes first."""
    distribution = catalog.project_of(offer.model.runtime).distribution(has_gpu=offer.num_gpus > 0)
    watched = [project.runtime for project in catalog.watch.projects]
    return (
        not (settings and _is_installed(distribution, settings)),
        offer.model.model_id not in catalog.canaries.of(ModelKind.DENSE),
        offer.model.runtime not in watched,
    )


def _is_installed(distribution: str | None, settings: Settings) -> bool:
    """Whether there is an environment of any version of this package on this machine."""
    return any(settings.environments.glob(f"{distribution}-[0-9]*/environment.json"))


def _without_deployment(catalog: Catalog, host: GpuHosts) -> list[Offer]:
    """Canaries of dense models on one GPU, with batch sizes, where the catalog has no deployments."""
    if host.gpu_model not in catalog.gpus:
        return []
    models = [catalog.models[name] for name in catalog.canaries.of(ModelKind.DENSE) if name in catalog.models]
    return [
        Offer(model, next(iter(model.tasks)), host.gpu_model, 1, _FIRST_BATCH_SIZES)
        for model in models
        if weights_gib(model) < catalog.gpus[host.gpu_model].memory_gib
        and any(deployment.num_gpus for entry in model.tasks.values() for deployment in entry.deployments)
    ]


_BYTES_PER_PARAMETER = {
    **dict.fromkeys(WeightPrecision, 0.5),
    WeightPrecision.FLOAT32: 4.0,
    **dict.fromkeys((WeightPrecision.BFLOAT16, WeightPrecision.FLOAT16), 2.0),
    **dict.fromkeys(
        (
            WeightPrecision.FP8,
            WeightPrecision.INT8,
            WeightPrecision.GPTQ_INT8,
            WeightPrecision.BNB_INT8,
        ),
        1.0,
    ),
    WeightPrecision.MXFP4: 0.53,
}
"""At least: all others have 4 bits per value. MXFP4 has 4 bits per value and 8 bits per 32 values (OCP
Microscaling Formats 1.0)."""


def weights_gib(model: Model) -> float:
    """Memory that the weights take at least, in GiB."""
    return model.total_params_billions * 1e9 * _BYTES_PER_PARAMETER[model.weight_precision] / 2**30


def model_title(model: Model) -> str:
    """A model as the forms show it."""
    return f"{model.nickname} ({model.model_id})"


def task_title(catalog: Catalog, task: Task) -> str:
    """A task as messages show it: its name, and the id that the command line takes."""
    return f"{catalog.tasks[task].display_name} ({task.value})" if task in catalog.tasks else task.value


def hosts_title(hosts: tuple[GpuHosts, ...]) -> str:
    """The GPU hosts in words."""
    if not hosts:
        return "no GPU"
    return ", ".join(
        f"{host.gpus} x {host.gpu_model}" + (f" on each of {host.hosts} hosts" if host.hosts > 1 else "")
        for host in hosts
    )
