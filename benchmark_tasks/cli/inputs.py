"""Inputs that several commands read: the catalog, a machine, the landing zone, a plan in a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark_tasks.cli.output import say
from benchmark_tasks.errors import CatalogError, JouleboardError, first_problem
from benchmark_tasks.settings import Settings

if TYPE_CHECKING:
    from benchmark_tasks.catalog import Catalog
    from benchmark_tasks.host.machine import Machine
    from benchmark_tasks.plan.sweep import Plan, Sweep
    from benchmark_tasks.results.store import Listing


def installed_catalog() -> Catalog:
    """The shipped catalog with what this installation added to it."""
    from benchmark_tasks.catalog import load

    return load(overlay=Settings.from_environment().catalog)


def machine_of(catalog: Catalog, gpu_model: str | None, gpus: int | None) -> Machine:
    """This machine, or the machine that the options describe."""
    from benchmark_tasks.host.machine import Machine, this_machine
    from benchmark_tasks.results.identity import NO_GPU

    if gpu_model is None or (gpu_model == NO_GPU and not gpus):
        machine = this_machine(catalog, gpu_model)
        return machine if gpus is None else Machine(machine.gpu_model, gpus)
    if gpu_model not in catalog.gpus:
        raise CatalogError(f"GPU {gpu_model!r} is not in the catalog; it has {', '.join(catalog.gpus)}")
    return Machine(gpu_model, 1 if gpus is None else gpus)


def listing_of(settings: Settings) -> Listing:
    """The landed records of our own runs; prints a warning about those that cannot be read."""
    from benchmark_tasks.results.store import Store, our_runs
    from benchmark_tasks.signing import Registry

    listing = our_runs(Store.of(settings).records(), Registry.read(settings))
    if listing.broken:
        say(f"warning: {len(listing.broken)} broken bundles skipped: {listing.broken[0].reason}")
    return listing


def read_plan(path: Path) -> Plan:
    """The plan in a file.

    Raises:
        JouleboardError: the file cannot be read, or is not a plan.
    """
    from pydantic import ValidationError

    from benchmark_tasks.plan.sweep import Plan

    try:
        return Plan.model_validate_json(path.read_bytes())
    except OSError as error:
        raise JouleboardError(f"{path}: {error.strerror}; `jouleboard plan -o {path}` writes one") from error
    except ValidationError as error:
        raise JouleboardError(f"{path}: {first_problem(error)}; `jouleboard plan -o` writes one") from error


def write_plan(plan: Plan, output: Path | None) -> None:
    """Write a plan as JSON; without `output`, do nothing."""
    if output is None:
        return
    try:
        output.write_text(plan.model_dump_json(indent=1) + "\n")
    except OSError as error:
        raise JouleboardError(f"{output}: cannot be written: {error.strerror}") from error
    say(f"wrote {output}")


def sweeps_of(plan: Plan, index: int | None) -> Sequence[Sweep]:
    """All sweeps of a plan, or only the sweep with this index (from 0)."""
    if index is None:
        return plan.sweeps
    if index >= len(plan.sweeps):
        raise JouleboardError(f"the plan has {len(plan.sweeps)} sweeps, none with index {index}")
    return [plan.sweeps[index]]
