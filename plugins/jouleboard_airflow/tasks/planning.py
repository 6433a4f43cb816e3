"""What the measuring DAGs' tasks do before anything is measured: plan, and choose what a lane takes.

The wiring is in `measuring.py`, what it costs in `estimating.py`, what comes afterwards in `judging.py`.
Imported by DAG files, so everything heavy is imported inside the functions.

A planned sweep travels between tasks as a dict: `sweep` (a `Sweep` of benchmark_tasks as JSON), `title`
(what a person calls it), `lane` (the task that measures it) and `known` (ids of the runs that its
campaign had landed when it was planned).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from benchmark_tasks.errors import CatalogError, SettingsError, UnknownVersion
from benchmark_tasks.results.identity import NO_GPU
from benchmark_tasks.settings import Settings
from benchmark_tasks.vocabulary import RECHECK_CAMPAIGN
from jouleboard_airflow.gpu_hosts import describe_fleet, read_fleet
from jouleboard_airflow.lanes import lane_of

if TYPE_CHECKING:
    from benchmark_tasks.catalog import Catalog
    from benchmark_tasks.host.machine import Machine
    from benchmark_tasks.plan.sweep import Sweep
    from benchmark_tasks.results.schema import Run
    from benchmark_tasks.results.store import Listing
    from expectations.history.recheck import Figure

log = logging.getLogger("airflow.task")

Planned = dict[str, Any]

_AS_PUBLISHED = (
    "tensor_parallel",
    "expert_parallel",
    "data_parallel",
    "ulysses_degree",
    "ring_degree",
    "inference_steps",
    "height",
    "width",
    "num_frames",
)
"""Placement, and what one image or video is: a recheck has them from the figure, not from the catalog."""


def plan_release(params: Mapping[str, Any], run_id: str) -> list[Planned]:
    """What the catalog wants to know about a release and nobody has landed, on every GPU of the fleet.

    With `force` everything is planned, except what this very run has landed already: clearing it resumes.

    Raises:
        AirflowSkipException: nothing is missing, or this installation cannot run the release.
        CatalogError, SettingsError, UnknownVersion, IndexUnreachable
    """
    from benchmark_tasks.plan import planning

    catalog, settings = _catalog(), Settings.from_environment()
    runtime = params["runtime"]
    machines = machines_of(catalog, params["gpu_model"])
    landed = listing(settings)
    if params.get("revision"):
        _require_revision(catalog, params["models"] or (), params["revision"])
    own = [run for run, _ in landed.runs if run.sweep_id == run_id]
    sweeps: list[Sweep] = []
    for machine in machines:
        version = _available(catalog, runtime, params["version"], machine.has_gpu, settings)
        plan = planning.plan_release(
            catalog,
            landed,
            runtime=runtime,
            runtime_version=version,
            gpu_model=machine.gpu_model,
            gpus=machine.num_gpus,
            repeats=params["repeats"],
            models=params["models"] or None,
            tasks=[_task(name) for name in params["tasks"] or ()] or None,
            campaign_id=run_id,
            note=params["note"],
            force=params["force"],
        )
        sweeps += _missing(plan.sweeps, own) if params["force"] else plan.sweeps
    if not sweeps:
        what = f"{runtime} {params['version'] or '(newest release)'}"
        raise AirflowSkipException(f"nothing to measure: {what} is complete here")
    return planned(catalog, sweeps, own)


def plan_on_demand(params: Mapping[str, Any], run_id: str) -> list[Planned]:
    """The one sweep that a person asked for; without `force`, what of it is not landed.

    Raises:
        AirflowSkipException: all of it is landed.
        CatalogError, SettingsError, UnknownVersion, IndexUnreachable
    """
    from benchmark_tasks.plan import planning

    catalog, settings = _catalog(), Settings.from_environment()
    model = catalog.model(params["model"])
    (machine,) = machines_of(catalog, params["gpu_model"])
    num_gpus = _num_gpus(params["num_gpus"], machine)
    version = _available(catalog, model.runtime, params["version"], machine.has_gpu, settings)
    sweep = planning.single_sweep(
        catalog,
        model_id=model.model_id,
        task=_task(params["task"]),
        runtime_version=version,
        gpu_model=machine.gpu_model,
        num_gpus=num_gpus,
        batch_sizes=batch_sizes(params["batch_sizes"]),
        repeats=params["repeats"]
        or (planning.REPEATS_WITH_GPU if num_gpus else planning.REPEATS_WITHOUT_GPU),
        note=params["note"],
    ).model_copy(update={"campaign_id": run_id})
    runs = [run for run, _ in listing(settings).runs]
    own = [run for run in runs if run.sweep_id == run_id]
    count = own if params["force"] else [run for run in runs if not _is_recheck(run)]
    sweeps = _missing([sweep], count)
    if not sweeps:
        raise AirflowSkipException(
            f"nothing to measure: {sweep.label()} is landed; `force` measures it again"
        )
    return planned(catalog, sweeps, own)


def plan_recheck(params: Mapping[str, Any], run_id: str) -> list[Planned]:
    """Published configurations to measure again: the canaries, and those that waited longest.

    Raises:
        AirflowSkipException: nothing is published yet, or nothing of it can be measured here.
        CatalogError, SettingsError, PublicationError
    """
    from expectations import publications
    from expectations.history import recheck

    catalog, settings = _catalog(), Settings.from_environment()
    if publications.current(settings) is None:
        raise AirflowSkipException("nothing to measure again: nothing is published yet")
    machines = {machine.gpu_model: machine for machine in machines_of(catalog, params["gpu_model"])}
    runs = [run for run, _ in listing(settings).runs if _is_recheck(run)]
    campaign = recheck_campaign(run_id)
    figures = recheck.choose(
        recheck.published_figures(settings),
        size=params["sample"],
        canaries=catalog.watch.canaries,
        gpu_models=machines,
        rechecked=_rechecked_at(run for run in runs if run.sweep_id != campaign),
    )
    sweeps = [sweep for figure in figures if (sweep := _sweep_again(catalog, figure, params))]
    sweeps = [sweep.model_copy(update={"campaign_id": campaign}) for sweep in sweeps]
    own = [run for run in runs if run.sweep_id == campaign]
    if not sweeps:
        raise AirflowSkipException(
            "nothing to measure: no published figure of ours can be measured again here"
        )
    return planned(catalog, sweeps, own)


def sweeps_for(sweeps: list[Planned], lane: str) -> list[dict[str, Any]]:
    """Arguments of the measuring task of a lane, one entry a sweep."""
    return [
        {name: entry[name] for name in ("sweep", "title", "known")}
        for entry in sweeps
        if entry["lane"] == lane
    ]


def planned(catalog: Catalog, sweeps: Iterable[Sweep], own: Iterable[Run]) -> list[Planned]:
    """Sweeps as they travel between tasks, canaries first, each with the lane that measures it."""
    known = [run.run_id for run in own]
    entries = []
    for sweep in sweeps:
        is_canary = sweep.model_id in catalog.watch.canaries and sweep.num_gpus <= 1
        as_json = sweep.model_dump(mode="json")
        lane = lane_of(as_json, is_canary).task_id
        entries.append(
            (not is_canary, {"sweep": as_json, "title": sweep.label(), "lane": lane, "known": known})
        )
        log.info("to measure%s: %s", ", first" if is_canary else "", sweep.label())
    return [entry for _, entry in sorted(entries, key=lambda pair: pair[0])]


def machines_of(catalog: Catalog, wanted: str | None) -> tuple[Machine, ...]:
    """Hosts to plan for, one a GPU model: the fleet's, or this machine's CPU where there is no GPU.

    wanted: one GPU model, or `NO_GPU`; all when None.

    Raises:
        CatalogError: the wanted GPU is not there, or a GPU of the fleet is not in the catalog.
        SettingsError: this machine has GPUs that the fleet does not list.
    """
    from benchmark_tasks.host.machine import Machine, this_machine

    hosts = read_fleet()
    if wanted == NO_GPU:
        return (Machine(NO_GPU, 0),)
    if not hosts:
        here = this_machine(catalog, wanted)
        if here.has_gpu:
            raise SettingsError(
                f"this machine has {here.num_gpus}x {here.gpu_model}, but the fleet is empty: "
                "`make up` again, or set [jouleboard] fleet"
            )
        return (here,)
    chosen = [host for host in hosts if wanted in (None, host.gpu_model)]
    if not chosen:
        raise CatalogError(f"no host can measure on {wanted}: {describe_fleet(hosts)}")
    for host in chosen:
        if host.gpu_model not in catalog.gpus:
            raise CatalogError(
                f"GPU {host.gpu_model} of the fleet is not in the catalog: {', '.join(catalog.gpus)}"
            )
    return tuple(Machine(host.gpu_model, host.gpus) for host in chosen)


def batch_sizes(text: str | None) -> list[int] | None:
    """`8, 32 128` of a form; the catalog's when empty.

    Raises:
        SettingsError: not whole numbers from 1 on.
    """
    parts = (text or "").replace(",", " ").split()
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise SettingsError(f"batch sizes {text!r}: give whole numbers from 1 on, for example 8, 32, 128")
    return [int(part) for part in parts] or None


def recheck_campaign(run_id: str) -> str:
    """The campaign of a recheck's runs; the gate knows them by its beginning."""
    return f"{RECHECK_CAMPAIGN}{run_id}"


def _catalog() -> Catalog:
    from benchmark_tasks.catalog import load

    return load(overlay=Settings.from_environment().catalog)


def listing(settings: Settings) -> Listing:
    """Every landed run."""
    from benchmark_tasks.results.store import Store

    return Store.of(settings).records()


def _require_revision(catalog: Catalog, models: Iterable[str], revision: str) -> None:
    """Models that are to be measured for the sake of a revision are at it.

    Raises:
        AirflowSkipException: the catalog has gone on to another revision, which has a run of its own.
    """
    for model in map(catalog.model, models):
        if model.revision != revision:
            raise AirflowSkipException(
                f"nothing to measure: {model.model_id} is at revision {model.revision} by now"
            )


def _missing(sweeps: Iterable[Sweep], runs: Iterable[Run]) -> list[Sweep]:
    from benchmark_tasks.plan.planning import still_missing

    runs = tuple(runs)
    return [left for sweep in sweeps if (left := still_missing(sweep, runs))]


def _task(name: str) -> Any:
    from benchmark_tasks.vocabulary import Task

    try:
        return Task(name)
    except ValueError as error:
        raise CatalogError(f"no task {name!r}; there are {', '.join(Task)}") from error


def _num_gpus(wanted: int | None, machine: Machine) -> int:
    """How many GPUs a sweep takes: what was asked for, one by default.

    Raises:
        SettingsError: there are not so many on a host.
    """
    count = min(1, machine.num_gpus) if wanted is None else wanted
    if (count == 0) != (machine.num_gpus == 0):
        raise SettingsError(f"number of GPUs {count} and GPU model {machine.gpu_model} contradict each other")
    if count > machine.num_gpus:
        raise SettingsError(f"{count} GPUs: a host has {machine.num_gpus} {machine.gpu_model}")
    return count


def _available(catalog: Catalog, runtime: Any, version: str | None, has_gpu: bool, settings: Settings) -> str:
    """The version to measure, the newest one when none is given.

    A release without a build for this kind of machine is skipped; a misspelt one fails.
    """
    from benchmark_tasks.releases.index import distribution_for, require_version, watched_releases

    project = catalog.project_of(runtime)
    if version is None:
        releases = watched_releases(project, settings, has_gpu=has_gpu)
        if not releases:
            raise UnknownVersion(f"{project.project} has no release that can be measured here")
        return releases[-1].version
    try:
        distribution_for(runtime, version, has_gpu=has_gpu, settings=settings)
    except UnknownVersion as error:
        if not has_gpu:
            require_version(project.project, version, settings)
            raise AirflowSkipException(f"nothing to measure: {error}") from error
        raise
    return version


def _sweep_again(catalog: Catalog, figure: Figure, params: Mapping[str, Any]) -> Sweep | None:
    """The sweep that measures a published configuration again; None, with a line, when it cannot be had."""
    from benchmark_tasks.plan import planning
    from benchmark_tasks.vocabulary import LengthControl, Weights
    from benchmark_tasks.workloads.catalog_sets import name_of

    weights = Weights(figure.weights)
    try:
        sweep = planning.single_sweep(
            _at_revision(catalog, figure) if weights is Weights.REAL else catalog,
            model_id=figure.model_id,
            task=_task(figure.task),
            runtime_version=figure.runtime_version,
            gpu_model=figure.gpu_model,
            num_gpus=figure.num_gpus,
            batch_sizes=[figure.batch_size],
            repeats=params["repeats"],
            weights=weights,
            runtime=figure.runtime,
            note=params["note"],
        )
    except CatalogError as error:
        log.info("left out: %s: %s", figure.label, error)
        return None
    sweep = sweep.model_copy(
        update={name: getattr(figure, name) for name in _AS_PUBLISHED}
        | {
            "length_control": LengthControl(figure.length_control),
            "request_set": name_of(figure.request_set_id),
        }
    )
    if sweep.configuration(sweep.points[0]).configuration_id != figure.configuration_id:
        log.info("left out: %s: the catalog has its weights in another precision by now", figure.label)
        return None
    if "+" in figure.runtime_version or "+" in figure.request_set_id:
        log.info("left out: %s: measured by hand, with options, a server or a load of its own", figure.label)
        return None
    return sweep


def _at_revision(catalog: Catalog, figure: Figure) -> Catalog:
    """The catalog with the figure's model at the revision that the figure is of.

    Raises:
        CatalogError: nobody knows that revision, and the hub may have gone on since.
    """
    model = catalog.model(figure.model_id)
    if figure.model_revision == model.revision:
        return catalog
    if figure.model_revision is None:
        raise CatalogError(f"its revision was not recorded; the catalog is at {model.revision} by now")
    return catalog.with_models([model.model_copy(update={"revision": figure.model_revision})])


def _is_recheck(run: Run) -> bool:
    return (run.sweep_id or "").startswith(RECHECK_CAMPAIGN)


def _rechecked_at(runs: Iterable[Run]) -> dict[str, datetime]:
    """When each configuration was last measured again."""
    found: dict[str, datetime] = {}
    for run in runs:
        key = run.configuration.configuration_id
        found[key] = max(found.get(key, run.finished_at), run.finished_at)
    return found
