"""The GPUs of this machine, by their names in the catalog."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from benchmark_tasks.catalog import Catalog
from benchmark_tasks.errors import CatalogError, JouleboardError, MeterError, SettingsError
from benchmark_tasks.meters.probe import GpuInstruments, InstrumentReport, probe_and_close
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

    It has the GPUs that this process may use and that can be measured.

    Raises:
        CatalogError: its GPU is not in the catalog, is not the wanted one, or it has several models.
        MeterError: it has GPUs or a driver, and none of them can be measured.
        SettingsError: CUDA_VISIBLE_DEVICES names a GPU that is not here.
    """
    names = [] if wanted == NO_GPU else measurable_names()
    machine = Machine(NO_GPU, 0) if not names else Machine(_catalog_name(catalog, names), len(names))
    if wanted not in (None, machine.gpu_model):
        raise CatalogError(
            f"this machine has GPU {machine.gpu_model}, not {wanted}: run it on a machine with {wanted}"
        )
    return machine


def instruments(environment: Mapping[str, str] = os.environ) -> InstrumentReport:
    """What the GPUs that this process may use can say of themselves.

    Raises:
        SettingsError: CUDA_VISIBLE_DEVICES (another vendor's variable has another name) names a GPU that
            is not here.
    """
    vendor = vendor_here()
    report = probe_and_close(vendor)
    if not report.gpus:
        return report
    named = environment.get(vendor.visible_variable)
    gpus = _with_sure_numbers(report.gpus)
    return InstrumentReport(report.driver, _visible(gpus, named, vendor.visible_variable))


def measurable(environment: Mapping[str, str] = os.environ) -> tuple[GpuInstruments, ...]:
    """The GPUs that this process may use and that can be measured; none where there plainly is no GPU.

    Raises:
        MeterError: there are GPUs or a driver, and none of them can be measured.
        SettingsError: CUDA_VISIBLE_DEVICES names a GPU that is not here.
    """
    report = instruments(environment)
    if report.driver.problem is not None:
        raise MeterError(report.driver.problem)
    if report.gpus and not report.measurable:
        raise MeterError(f"no GPU of this machine can be measured: {report.problems}")
    return report.measurable


def usable_indices(at_least: int = 0) -> tuple[int, ...]:
    """The driver's indices of the GPUs that can be measured and that this process may use.

    Args:
        at_least: so many where nothing says which and there plainly is no driver.

    Raises:
        MeterError, SettingsError: as `measurable`.
    """
    driver = vendor_here().driver()
    if driver.count or driver.problem:
        return tuple(gpu.index for gpu in measurable())
    visible = visible_indices()
    return tuple(range(at_least)) if visible is None else visible


def usable_uuids() -> dict[str, int]:
    """The driver's index of each GPU that can be measured and that this process may use, by its UUID.

    Raises:
        SettingsError: CUDA_VISIBLE_DEVICES names a GPU that is not here.
    """
    return {gpu.gpu.uuid: gpu.index for gpu in instruments().measurable if gpu.gpu is not None}


def visible_indices(environment: Mapping[str, str] = os.environ) -> tuple[int, ...] | None:
    """The driver's indices of the GPUs that CUDA_VISIBLE_DEVICES leaves to this process; `None`: all.

    Raises:
        SettingsError: it names a GPU that is not here; without a driver, one in another way than by index.
    """
    variable = vendor_here().visible_variable
    named = environment.get(variable)
    if named is None:
        return None
    report = instruments(environment)
    if report.driver.count:
        return tuple(gpu.index for gpu in report.gpus)
    parts = [part.strip() for part in named.split(",") if part.strip()]
    if not all(part.isdecimal() for part in parts):
        raise SettingsError(f"{variable}={named}: without a driver, GPUs can be named by index only")
    return tuple(int(part) for part in parts)


def measurable_names() -> list[str]:
    """Name of each GPU that can be measured here, as the driver gives it.

    Raises:
        MeterError, SettingsError: as `measurable`.
    """
    return [gpu.gpu.name for gpu in measurable() if gpu.gpu is not None]


def gpu_names() -> list[str]:
    """Name of each GPU that can be measured here; empty also where none can."""
    try:
        return measurable_names()
    except JouleboardError:
        return []


def _with_sure_numbers(gpus: Sequence[GpuInstruments]) -> tuple[GpuInstruments, ...]:
    """The GPUs; those with a higher number than one that CUDA may leave out when it counts are not measured.

    CUDA leaves out a GPU that is lost, and one in MIG mode without a slice; the driver counts both. Above it
    one number names two GPUs: the energy would be that of another GPU than the one that computes.
    """
    doubtful = next((gpu.index for gpu in gpus if gpu.left_out), len(gpus))
    reason = f"its number is not certain, as programs may leave out GPU {doubtful}, which cannot be used"
    return tuple(
        replace(
            gpu,
            problem=f"{reason}: remove or reset GPU {doubtful}, or hide it from this container",
        )
        if gpu.index > doubtful and gpu.problem is None
        else gpu
        for gpu in gpus
    )


def _visible(
    gpus: Sequence[GpuInstruments], visible: str | None, variable: str
) -> tuple[GpuInstruments, ...]:
    """The GPUs that the variable lists: by index, by UUID or by how a UUID begins, as CUDA reads it.

    Without the variable all are; -1 ends the list; an empty list hides all.

    Raises:
        SettingsError: it names a GPU that is not here, one twice, several at once, or a MIG slice.
    """
    if visible is None:
        return tuple(gpus)
    chosen: list[GpuInstruments] = []
    for part in (part.strip() for part in visible.split(",")):
        if part == "-1":
            break
        if not part:
            continue
        gpu = _named(gpus, part, f"{variable}={visible}")
        if gpu in chosen:
            raise SettingsError(f"{variable}={visible} names GPU {gpu.index} twice: name each once")
        chosen.append(gpu)
    return tuple(chosen)


def _named(gpus: Sequence[GpuInstruments], part: str, setting: str) -> GpuInstruments:
    if part.startswith("MIG"):
        raise SettingsError(
            f"{setting} names a MIG slice, and the energy counter counts the whole GPU: name one without MIG"
        )
    if part.isdecimal():
        named = [gpu for gpu in gpus if gpu.index == int(part)]
    else:
        named = [gpu for gpu in gpus if gpu.gpu is not None and _is_uuid(part, gpu.gpu.uuid)]
    if len(named) > 1:
        raise SettingsError(
            f"{setting}: {part}: the UUIDs of {len(named)} GPUs begin with it: write more of it"
        )
    if not named:
        here = f"GPUs 0 to {len(gpus) - 1} are" if gpus else "no GPU is"
        raise SettingsError(f"{setting}: there is no GPU {part}; {here} here")
    return named[0]


def _is_uuid(part: str, uuid: str) -> bool:
    """Whether it is a UUID, or how one begins, beyond what all begin with."""
    return part.rstrip("-").upper() not in ("", "GPU") and uuid.lower().startswith(part.lower())


def _catalog_name(catalog: Catalog, names: list[str]) -> str:
    if len(set(names)) > 1:
        variable, models = vendor_here().visible_variable, " and ".join(sorted(set(names)))
        raise CatalogError(f"this machine has {models}: set {variable} to GPUs of one model")
    entry = catalog.gpu_named(names[0])
    if entry is None:
        raise CatalogError(f"{names[0]} is not in the catalog: add it to benchmark_tasks/catalog/data/gpus")
    return entry.gpu_model
