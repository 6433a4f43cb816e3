"""What the measuring DAGs' tasks do before anything is measured: plan, and choose what a lane takes.

The wiring is in `measuring.py`, what it costs in `estimating.py`, what comes afterwards in `judging.py`.
Imported by DAG files, so everything heavy is imported inside the functions.

A planned sweep travels between tasks as a dict: `sweep` (a `Sweep` of benchmark_tasks as JSON), `title`
(what a person calls it), `lane` (the task that measures it) and `known` (ids of the runs that its
campaign had landed when it was planned).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from benchmark_tasks.errors import CatalogError, SettingsError
from benchmark_tasks.results.identity import NO_GPU
from benchmark_tasks.settings import Settings
from benchmark_tasks.vocabulary import Task, Weights
from jouleboard_airflow.gpu_hosts import describe_fleet, read_fleet
from jouleboard_airflow.lanes import lane_of

if TYPE_CHECKING:
    from benchmark_tasks.catalog import Catalog
    from benchmark_tasks.host.machine import Machine
    from benchmark_tasks.plan.sweep import Sweep
    from benchmark_tasks.results.schema import Run
    from benchmark_tasks.results.store import Listing

log = logging.getLogger("airflow.task")

Planned = dict[str, Any]


def plan_release(params: Mapping[str, Any], run_id: str) -> list[Planned]:
    """What the catalog wants to know about a release and nobody has landed, on every GPU of the fleet.

    With `force` everything is planned, except what this very run has landed already: clearing it resumes.

    Raises:
        AirflowSkipException: nothing is missing, or this installation cannot run the release.
        CatalogError, SettingsError, UnknownVersion, IndexUnreachable
    """
    from benchmark_tasks.plan import plan_release_on

    catalog, settings = _catalog(), Settings.from_environment()
    runtime, landed = params["runtime"], listing(settings)
    _require_current(catalog, params["models"] or (), params.get("revision"))
    with _skipping_without_build():
        plan = plan_release_on(
            machines_of(catalog, params["gpu_model"]),
            catalog,
            landed,
            settings,
            runtime=runtime,
            version=params["version"],
            repeats=params["repeats"],
            weights=_weights(params),
            models=params["models"] or None,
            tasks=[_task(name) for name in params["tasks"] or ()] or None,
            campaign_id=run_id,
            note=params["note"],
            force=params["force"],
        )
    if not plan.sweeps:
        what = f"{runtime} {params['version'] or '(newest release)'}"
        raise AirflowSkipException(f"nothing to measure: {what} is complete here")
    return planned(catalog, plan.sweeps, _of_campaign(landed, run_id))


def plan_on_demand(params: Mapping[str, Any], run_id: str) -> list[Planned]:
    """The one sweep that a person asked for; without `force`, what of it is not landed.

    Raises:
        AirflowSkipException: all of it is landed, or this installation cannot run the release.
        CatalogError, SettingsError, UnknownVersion, IndexUnreachable
    """
    from benchmark_tasks.plan import plan_single

    catalog, settings = _catalog(), Settings.from_environment()
    (machine,) = machines_of(catalog, params["gpu_model"])
    landed = listing(settings)
    with _skipping_without_build():
        sweep, missing = plan_single(
            machine,
            catalog,
            [run for run, _ in landed.runs],
            settings,
            model_id=params["model"],
            task=_task(params["task"]),
            version=params["version"],
            num_gpus=_no_gpu_if_asked(params["gpu_model"], params["num_gpus"]),
            batch_sizes=batch_sizes(params["batch_sizes"]),
            repeats=params["repeats"],
            weights=_weights(params),
            campaign_id=run_id,
            note=params["note"],
            force=params["force"],
        )
    if missing is None:
        raise AirflowSkipException(
            f"nothing to measure: {sweep.label()} is landed; `force` measures it again"
        )
    return planned(catalog, [missing], _of_campaign(landed, run_id))


def _no_gpu_if_asked(gpu_model: str | None, num_gpus: int | None) -> int | None:
    """How many GPUs the form asks for; its choice of no GPU is a number, too."""
    return 0 if gpu_model == NO_GPU and num_gpus is None else num_gpus


def plan_recheck(params: Mapping[str, Any], run_id: str) -> list[Planned]:
    """Published configurations to measure again: the canaries, and those that waited longest.

    Raises:
        AirflowSkipException: nothing is published yet, or nothing of it can be measured here.
        CatalogError, SettingsError, PublicationError
    """
    from benchmark_tasks.plan import recheck_campaign
    from expectations import publications
    from expectations.history import recheck

    catalog, settings = _catalog(), Settings.from_environment()
    if publications.current(settings) is None:
        raise AirflowSkipException("nothing to measure again: nothing is published yet")
    landed, campaign = listing(settings), recheck_campaign(run_id)
    sweeps = recheck.plan_recheck(
        catalog,
        recheck.published_figures(settings),
        [run for run, _ in landed.runs],
        gpu_models=[machine.gpu_model for machine in machines_of(catalog, params["gpu_model"])],
        size=params["sample"],
        repeats=params["repeats"],
        campaign_id=campaign,
        note=params["note"],
        say=log.info,
    )
    if not sweeps:
        raise AirflowSkipException(
            "nothing to measure: no published figure of ours can be measured again here"
        )
    return planned(catalog, sweeps, _of_campaign(landed, campaign))


def sweeps_for(sweeps: list[Planned], lane: str) -> list[dict[str, Any]]:
    """Arguments of the measuring task of a lane, one entry per sweep."""
    return [
        {name: entry[name] for name in ("sweep", "title", "known")}
        for entry in sweeps
        if entry["lane"] == lane
    ]


def planned(catalog: Catalog, sweeps: Iterable[Sweep], own: Iterable[Run]) -> list[Planned]:
    """Sweeps as they travel between tasks, canaries first, each with the lane that measures it."""
    from benchmark_tasks.plan import is_canary

    known = [run.run_id for run in own]
    entries = []
    for sweep in sweeps:
        first = is_canary(catalog, sweep)
        as_json = sweep.model_dump(mode="json")
        lane = lane_of(as_json, first).task_id
        entries.append((not first, {"sweep": as_json, "title": sweep.label(), "lane": lane, "known": known}))
        log.info("to measure%s: %s", ", first" if first else "", sweep.label())
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


def _catalog() -> Catalog:
    from benchmark_tasks.catalog import load

    return load(overlay=Settings.from_environment().catalog)


def listing(settings: Settings) -> Listing:
    """Every landed run."""
    from benchmark_tasks.results.store import Store

    return Store.of(settings).records()


def _of_campaign(landed: Listing, campaign_id: str) -> list[Run]:
    return [run for run, _ in landed.runs if run.campaign_id == campaign_id]


def _require_current(catalog: Catalog, models: Iterable[str], revision: str | None) -> None:
    """Models that are to be measured for the sake of a revision are at it; `None`: of no revision.

    Raises:
        AirflowSkipException: the catalog has gone on to another revision, which has a run of its own.
    """
    from benchmark_tasks.plan import superseded

    if revision and (model := superseded(catalog, models, revision)):
        raise AirflowSkipException(
            f"nothing to measure: {model.model_id} is at revision {model.revision} by now"
        )


@contextmanager
def _skipping_without_build() -> Iterator[None]:
    """A release without a build for this kind of machine skips the run instead of failing it."""
    from benchmark_tasks.errors import NoBuildHere

    try:
        yield
    except NoBuildHere as error:
        raise AirflowSkipException(f"nothing to measure: {error}") from error


def _weights(params: Mapping[str, Any]) -> Weights | None:
    """The kind of weights of a form; `None` for the usual one of each model."""
    return Weights(params["weights"]) if params.get("weights") else None


def _task(name: str) -> Task:
    try:
        return Task(name)
    except ValueError as error:
        raise CatalogError(f"no task {name!r}; there are {', '.join(Task)}") from error
