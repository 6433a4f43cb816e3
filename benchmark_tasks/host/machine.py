"""The GPUs of this machine, by their names in the catalog."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from benchmark_tasks.catalog import Catalog
from benchmark_tasks.errors import CatalogError, SettingsError
from benchmark_tasks.meters.vendors import vendor_here
from benchmark_tasks.results.identity import NO_GPU


@dataclass(frozen=True)
class Machine:
    """GPUs of one model, named as in the catalog; `NO_GPU` and 0 without any."""

    gpu_model: str
    num_gpus: int

    @property
    def has_gpu(self) -> bool:
        """Whether energy can be measured here at all."""
        return self.num_gpus > 0


def this_machine(catalog: Catalog, wanted: str | None = None) -> Machine:
    """The machine as it is, or only its CPU when `NO_GPU` is wanted.

    Raises:
        CatalogError: its GPU is not in the catalog, is not the wanted one, or it has several models.
    """
    names = [] if wanted == NO_GPU else gpu_names()
    machine = Machine(NO_GPU, 0) if not names else Machine(_catalog_name(catalog, names), len(names))
    if wanted not in (None, machine.gpu_model):
        raise CatalogError(
            f"this machine has GPU {machine.gpu_model}, not {wanted}: run it where {wanted} is"
        )
    return machine


def visible_indices(environment: Mapping[str, str] = os.environ) -> tuple[int, ...] | None:
    """The driver's indices of the GPUs that CUDA_VISIBLE_DEVICES leaves to this process; `None`: all.

    Another vendor's variable has another name.

    Raises:
        SettingsError: it names GPUs in another way than by index.
    """
    variable = vendor_here().visible_variable
    visible = environment.get(variable)
    if visible is None:
        return None
    parts = [part.strip() for part in visible.split(",") if part.strip()]
    if not all(part.isdigit() for part in parts):
        raise SettingsError(f"{variable} must list GPUs by index: energy is read by index")
    return tuple(int(part) for part in parts)


def usable_indices(at_least: int = 0) -> tuple[int, ...]:
    """The driver's indices of the GPUs that this process may use.

    Args:
        at_least: so many where nothing says which and the driver does not show them.

    Raises:
        SettingsError: CUDA_VISIBLE_DEVICES names GPUs in another way than by index.
    """
    visible = visible_indices()
    return tuple(range(max(at_least, len(gpu_names())))) if visible is None else visible


def gpu_names(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Name of each GPU this process may use, as the driver gives it; empty without a driver."""
    vendor = vendor_here()
    return _visible(vendor.names(), environment.get(vendor.visible_variable))


def _visible(names: list[str], visible: str | None) -> list[str]:
    """The driver shows every GPU; the variable, where it lists indices, says which are ours."""
    if visible is None:
        return names
    indices = [part.strip() for part in visible.split(",") if part.strip()]
    if not all(index.isdigit() for index in indices):
        return names[: len(indices)]
    return [names[int(index)] for index in indices if int(index) < len(names)]


def _catalog_name(catalog: Catalog, names: list[str]) -> str:
    if len(set(names)) > 1:
        variable = vendor_here().visible_variable
        raise CatalogError(f"this machine mixes {' and '.join(sorted(set(names)))}: set {variable}")
    entry = catalog.gpu_named(names[0])
    if entry is None:
        raise CatalogError(f"{names[0]} is not in the catalog: add it to benchmark_tasks/catalog/data/gpus")
    return entry.gpu_model
