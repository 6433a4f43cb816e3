"""What the measuring DAGs' tasks do before anything is measured: plan, and choose the sweeps of a lane.

The wiring is in `dag_parts/measuring.py`, the cost in `estimating.py`, what comes afterwards in `judging.py`.
Imported by DAG files, so everything heavy is imported inside the functions.

A planned sweep is passed between tasks as a dict: `sweep` (a `Sweep` of benchmark_tasks as JSON), `title`
(its name for people), `lane` (the task that measures it), `known` (ids of the runs that its campaign had
landed when it was planned) and `then` (sweeps that follow on the same GPUs; may be absent). Where earlier
turns of these ran already: `gpu_uuids` (of their GPUs) and `anew` (what other GPUs have to measure).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from benchmark_tasks.errors import CatalogError, SettingsError
from benchmark_tasks.results.identity import NO_GPU
from benchmark_tasks.settings import Settings
from benchmark_tasks.vocabulary import Task, Weights
from jouleboard_airflow.gpu_hosts import describe_fleet, reachable_hosts, read_fleet
from jouleboard_airflow.lanes import lane_of
from jouleboard_airflow.tasks import choices

if TYPE_CHECKING:
    from airflow.sdk.types import RuntimeTaskInstanceProtocol as RuntimeTaskInstance

    from benchmark_tasks.catalog import Catalog
    from benchmark_tasks.host.machine import Machine
    from benchmark_tasks.plan import TurnsLeft
    from benchmark_tasks.plan.sweep import Sweep
    from benchmark_tasks.results.schema import Run
    from benchmark_tasks.results.store import Listing

log = logging.getLogger("airflow.task")

Planned = dict[str, Any]

MEASURES = "measures"
"""XCom key, and key of a planned sweep: the rows of the leaderboard that it measures."""


def plan_release(
    params: Mapping[str, Any], run_id: str, decisions: Sequence[Mapping[str, Any]] = ()
) -> list[Planned]:
    """The catalog's configurations for a release that are not landed, on every GPU model of the fleet.

    With `force` all of them, except what this run of the DAG has landed already: clearing the run resumes it.

    decisions: of the canaries (`Decision` as dict); what waits is left out.

    Raises:
        AirflowSkipException: nothing is missing, all that is missing waits, or this installation cannot run
            the release.
        Impossible: a field of the form asks for something that cannot be done here.
        CatalogError, SettingsError, UnknownVersion, IndexUnreachable
    """
    from benchmark_tasks.plan import Decision, split_off_waiting

    catalog, landed = installed_catalog(), listing(Settings.from_environment())
    sweeps = release_sweeps(catalog, landed, params, run_id)
    if not sweeps:
        what = f"{params['runtime']} {params['version'] or '(newest release)'}"
        raise AirflowSkipException(
            f"nothing to measure: all of {what} that this installation can measure is landed"
        )
    told = [Decision(**decision) for decision in decisions]
    now, waiting = split_off_waiting(catalog, sweeps, counting_runs(landed), told)
    points = sum(len(sweep.points) for sweep in waiting)
    if points:
        log.info("%d configurations wait for the rotation, as canaries changed nothing", points)
    if not now:
        raise AirflowSkipException(f"nothing to measure now: {points} configurations wait for the rotation")
    return planned(catalog, now, _of_campaign(landed, run_id))


def release_sweeps(
    catalog: Catalog, landed: Listing, params: Mapping[str, Any], run_id: str
) -> Sequence[Sweep]:
    """All sweeps that are missing of a release; raises what `plan_release` does, but for what is landed."""
    from benchmark_tasks.plan import plan_release_on

    _require_current(catalog, params["models"] or (), params.get("revision"))
    _require_possible_release(params, catalog)
    with _skipping_without_build():
        return plan_release_on(
            machines_of(catalog, params["gpu_model"]),
            catalog,
            landed,
            Settings.from_environment(),
            runtime=params["runtime"],
            version=params["version"],
            repeats=params["repeats"],
            weights=weights_of(params),
            models=params["models"] or None,
            tasks=[_task(name) for name in params["tasks"] or ()] or None,
            campaign_id=run_id,
            note=params["note"],
            force=params["force"],
        ).sweeps


def plan_on_demand(
    params: Mapping[str, Any], run_id: str, ti: RuntimeTaskInstance | None = None
) -> list[Planned]:
    """The one sweep that a person asked for; without `force`, the part of it that is not landed.

    ti: the task. Its XCom keeps which rows of the leaderboard were asked for, also if all are landed.

    Raises:
        AirflowSkipException: all of it is landed.
        Impossible: it cannot be measured here; names each field of the form that would have to change.
        CatalogError, SettingsError, UnknownVersion, IndexUnreachable
    """
    from benchmark_tasks.plan import chosen_requests, plan_single, read_rates

    catalog, settings = installed_catalog(), Settings.from_environment()
    choices.require_possible(choices.on_demand(params, catalog, settings))
    (machine,) = machines_of(catalog, params["gpu_model"])
    landed = listing(settings)
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
        rates=read_rates(params.get("rates")),
        burstiness=params.get("burstiness"),
        sleep_levels=choices.sleep_levels_of(params),
        repeats=params["repeats"],
        weights=weights_of(params),
        weights_folder=params.get("weights_folder") or None,
        requests=chosen_requests(**choices.requests_of(params)),
        campaign_id=run_id,
        note=params["note"],
        force=params["force"],
    )
    if ti is not None:
        ti.xcom_push(key=MEASURES, value=[measures(sweep)])
    if missing is None:
        raise AirflowSkipException(
            f"nothing to measure: {sweep.label()} is landed; `force` measures it again"
        )
    return planned(catalog, [missing], _of_campaign(landed, run_id))


def _no_gpu_if_asked(gpu_model: str | None, num_gpus: int | None) -> int | None:
    """How many GPUs the form asks for; its choice of no GPU is a number, too."""
    return 0 if gpu_model == NO_GPU and num_gpus is None else num_gpus


def plan_recheck(params: Mapping[str, Any], run_id: str) -> list[Planned]:
    """Published configurations to measure again: the canaries, and those not rechecked for the longest time.

    Raises:
        AirflowSkipException: nothing is published yet, or none of it can be measured on this fleet.
        CatalogError, SettingsError, PublicationError
    """
    from benchmark_tasks.plan import recheck_campaign
    from expectations import publications
    from expectations.history import recheck

    catalog, settings = installed_catalog(), Settings.from_environment()
    choices.require_possible(choices.with_gpu_model(params, choices.RECHECK))
    if publications.current(settings) is None:
        raise AirflowSkipException("nothing to measure again: nothing is published yet")
    landed, campaign = listing(settings), recheck_campaign(run_id)
    sweeps = recheck.plan_recheck(
        catalog,
        recheck.published_figures(settings),
        [run for run, _ in landed.runs],
        gpu_models=[machine.gpu_model for machine in reached_machines(catalog, params["gpu_model"])],
        size=params["sample"],
        repeats=params["repeats"],
        campaign_id=campaign,
        note=params["note"],
        say=log.info,
    )
    if not sweeps:
        raise AirflowSkipException(
            "nothing to measure: none of our published figures can be measured again on this fleet"
        )
    return planned(catalog, sweeps, _of_campaign(landed, campaign))


def sweeps_for(sweeps: list[Planned], lane: str) -> list[dict[str, Any]]:
    """Arguments of the measuring task of a lane, one entry per sweep."""
    return [
        {
            name: entry[name]
            for name in ("sweep", "then", "title", "known", "gpu_uuids", "anew")
            if name in entry
        }
        for entry in sweeps
        if entry["lane"] == lane
    ]


def planned(catalog: Catalog, sweeps: Iterable[Sweep], own: Iterable[Run]) -> list[Planned]:
    """Sweeps in the form that is passed between tasks, canaries first, each with its lane."""
    from benchmark_tasks.plan import is_canary

    known = [run.run_id for run in own]
    entries = []
    for sweep in sweeps:
        first = is_canary(catalog, sweep)
        as_json = sweep.model_dump(mode="json")
        lane = lane_of(as_json, first).task_id
        entry = {"sweep": as_json, "title": sweep.label(), "lane": lane, "known": known}
        entries.append((not first, entry | {MEASURES: measures(sweep)}))
        log.info("to measure%s: %s", ", first" if first else "", sweep.label())
    return [entry for _, entry in sorted(entries, key=lambda pair: pair[0])]


def in_turns(turns: TurnsLeft, title: str, lane: str, own: Iterable[Run]) -> Planned:
    """Sweeps that one task measures one after the other on the same GPUs, in the form of `planned`."""
    first, *then = [sweep.model_dump(mode="json") for sweep in turns.sweeps]
    known = [run.run_id for run in own]
    entry = {"sweep": first, "then": then, "title": title, "lane": lane, "known": known}
    if not turns.gpu_uuids:
        return entry
    anew = [sweep.model_dump(mode="json") for sweep in turns.anew]
    return entry | {"gpu_uuids": list(turns.gpu_uuids), "anew": anew}


def measures(sweep: Sweep) -> dict[str, Any]:
    """Which rows of the leaderboard a sweep measures, for the tab of its run."""
    return {
        "model_id": sweep.model_id,
        "runtime_version": sweep.measured_version,
        "weights": sweep.weights.value,
        "rows": [[point.batch_size, sweep.configuration(point).configuration_id] for point in sweep.points],
    }


def machines_of(catalog: Catalog, wanted: str | None) -> tuple[Machine, ...]:
    """Hosts to plan for, one per GPU model: those of the fleet, or this machine's CPU if there is no GPU.

    wanted: one GPU model, or `NO_GPU`; all when None.

    Raises:
        CatalogError: the fleet does not have the wanted GPU, or its GPU is not in the catalog.
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
                "run `make up` again, or set [jouleboard] fleet"
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


def reached_machines(catalog: Catalog, wanted: str | None) -> tuple[Machine, ...]:
    """As `machines_of`, but without hosts that releases are only planned for (`gpu_hosts.reachable_hosts`).

    Nobody is asked before these measure: without a host that is there, every sweep would fail.
    """
    from benchmark_tasks.host.machine import Machine

    machines = machines_of(catalog, wanted)
    if wanted is not None or not read_fleet():
        return machines
    reached = {host.gpu_model for host in reachable_hosts()}
    for machine in machines:
        if machine.gpu_model not in reached:
            log.info("left out: %s of the fleet, which this installation cannot reach", machine.gpu_model)
    return tuple(machine for machine in machines if machine.gpu_model in reached) or (Machine(NO_GPU, 0),)


def batch_sizes(text: str | None) -> list[int] | None:
    """`8, 32 128` of a form as numbers; None, which means the catalog's, if it is empty.

    Raises:
        SettingsError: not whole numbers from 1 on.
    """
    parts = (text or "").replace(",", " ").split()
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise SettingsError(f"batch sizes {text!r}: give whole numbers from 1 on, for example 8, 32, 128")
    return [int(part) for part in parts] or None


def installed_catalog() -> Catalog:
    """The shipped catalog with what this installation added to it."""
    from benchmark_tasks.catalog import load

    return load(overlay=Settings.from_environment().catalog)


def listing(settings: Settings) -> Listing:
    """Every landed run of ours."""
    from benchmark_tasks.results.store import Store, our_runs
    from benchmark_tasks.signing import Registry

    return our_runs(Store.of(settings).records(), Registry.read(settings))


def counting_runs(landed: Listing) -> list[Run]:
    """Every landed run but those of rechecks."""
    from benchmark_tasks.plan import runs_that_count

    return runs_that_count((run for run, _ in landed.runs), campaign_id=None, force=False)


def _require_possible_release(params: Mapping[str, Any], catalog: Catalog) -> None:
    """Check the form of a release.

    Raises:
        Impossible: a person's choice cannot be measured here.
        AirflowSkipException: it is a new revision of a model, which no person asked for here.
    """
    misfits = choices.release(params, catalog)
    if params.get("revision") and [misfit.field for misfit in misfits] == ["models"]:
        raise AirflowSkipException(f"nothing to measure: {misfits[0]}")
    choices.require_possible(misfits)


def _of_campaign(landed: Listing, campaign_id: str) -> list[Run]:
    return [run for run, _ in landed.runs if run.campaign_id == campaign_id]


def _require_current(catalog: Catalog, models: Iterable[str], revision: str | None) -> None:
    """Check that models that are measured because of a revision have it in the catalog; `None`: no check.

    Raises:
        AirflowSkipException: the catalog has another revision now, which has a run of its own.
    """
    from benchmark_tasks.plan import superseded

    if revision and (model := superseded(catalog, models, revision)):
        raise AirflowSkipException(f"nothing to measure: {model.model_id} now has revision {model.revision}")


@contextmanager
def _skipping_without_build() -> Iterator[None]:
    """A release without a build for this kind of machine skips the run instead of failing it."""
    from benchmark_tasks.errors import NoBuildHere

    try:
        yield
    except NoBuildHere as error:
        raise AirflowSkipException(f"nothing to measure: {error}") from error


def weights_of(params: Mapping[str, Any]) -> Weights | None:
    """The kind of weights of a form; `None` for the usual one of each model."""
    return Weights(params["weights"]) if params.get("weights") else None


def _task(name: str) -> Task:
    try:
        return Task(name)
    except ValueError as error:
        raise CatalogError(f"no task {name!r}; the tasks are {', '.join(Task)}") from error
