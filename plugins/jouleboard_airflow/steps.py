"""What the DAGs' tasks do: calls of the same functions as the `jouleboard` command.

Imported by DAG files, so everything heavy is imported inside the functions.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from benchmark_tasks.settings import Settings

if TYPE_CHECKING:
    from airflow.sdk.types import RuntimeTaskInstanceProtocol as RuntimeTaskInstance

    from benchmark_tasks.catalog import WatchedProject
    from expectations.approval import Approval

log = logging.getLogger("airflow.task")

GPU_COUNTS = (0, 1, 2, 4, 8)
"""Sizes of deployment that are planned; each has a measuring task of its own, with as many pool slots."""


def releases_to_benchmark(params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One entry a release above the floor that this machine can run: arguments of the trigger.

    All of them, every time: the run ids are deterministic, so that each starts once, also after
    days of downtime.

    Raises:
        IndexUnreachable, CatalogError
    """
    from benchmark_tasks.catalog import load
    from benchmark_tasks.machine import this_machine

    catalog, settings = load(), Settings.from_environment()
    machine = this_machine(catalog, params["gpu_model"])
    chosen = []
    for project in catalog.watch.projects:
        floor = params[floor_param(project.project)] or configured_floor(project.project) or project.floor
        watched = project.model_copy(update={"floor": floor})
        for version in _measurable(watched, settings, machine.has_gpu):
            conf = {"runtime": project.runtime, "version": version, "gpu_model": params["gpu_model"]}
            chosen.append({"trigger_run_id": release_run_id(project.project, version), "conf": conf})
    return chosen


def _measurable(project: WatchedProject, settings: Settings, has_gpu: bool) -> list[str]:
    """Versions to measure here; each one that is left out is said in one line."""
    from benchmark_tasks.releases.index import list_releases, watched_releases

    name = project.project
    versions = [release.version for release in watched_releases(project, settings, has_gpu=has_gpu)]
    for release in list_releases(name, settings, floor=project.floor):
        if release.version not in versions:
            log.info("%s %s: skipped, %s", name, release.version, _why_not(project, release, has_gpu))
    log.info("%s: %d releases from %s on to be measured: %s", name, len(versions), project.floor, versions)
    return versions


def _why_not(project: WatchedProject, release: Any, has_gpu: bool) -> str:
    if release.yanked:
        return "withdrawn by its authors (yanked)"
    if release.prerelease:
        return "a pre-release"
    if not has_gpu and project.distribution_without_gpu is None:
        return "it cannot run without a GPU"
    return f"{project.distribution_without_gpu} has no such release for a machine without a GPU"


def floor_param(project: str) -> str:
    """Name of the form's field for the oldest release of a project."""
    return f"{project}_floor"


def configured_floor(project: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """`JOULEBOARD_VLLM_FLOOR` and the like; the catalog has the default."""
    return environment.get(f"JOULEBOARD_{project.upper().replace('-', '_')}_FLOOR") or None


def release_run_id(project: str, version: str) -> str:
    """The one run that a release ever gets."""
    return f"release__{project}__{version}"


def plan_release(params: Mapping[str, Any], run_id: str) -> list[dict[str, Any]]:
    """The sweeps that are missing, as arguments of `MeasureSweepOperator`.

    Raises:
        AirflowSkipException: nothing is missing, or this machine cannot run the release.
        CatalogError, UnknownVersion, IndexUnreachable
    """
    from benchmark_tasks import planning
    from benchmark_tasks.catalog import load
    from benchmark_tasks.machine import this_machine
    from benchmark_tasks.results.store import Store
    from benchmark_tasks.vocabulary import Runtime

    catalog, settings = load(), Settings.from_environment()
    machine = this_machine(catalog, params["gpu_model"])
    runtime = Runtime(params["runtime"])
    _require_available(runtime, params["version"], machine.has_gpu, settings)
    plan = planning.plan_release(
        catalog,
        Store.of(settings).records(),
        runtime=runtime,
        runtime_version=params["version"],
        gpu_model=machine.gpu_model,
        gpus=machine.num_gpus,
        repeats=params["repeats"],
        models=params["models"] or None,
        tasks=[_task(name) for name in params["tasks"] or ()] or None,
        campaign_id=run_id,
        note=params["note"],
        force=params["force"],
    )
    if not plan.sweeps:
        raise AirflowSkipException(f"nothing to measure: {runtime} {params['version']} is complete here")
    for sweep in plan.sweeps:
        log.info("to measure: %s", sweep.label())
    return [{"sweep": sweep.model_dump(mode="json"), "title": sweep.label()} for sweep in plan.sweeps]


def _task(name: str) -> Any:
    from benchmark_tasks.errors import CatalogError
    from benchmark_tasks.vocabulary import Task

    try:
        return Task(name)
    except ValueError as error:
        raise CatalogError(f"no task {name!r}; there are {', '.join(Task)}") from error


def _require_available(runtime: Any, version: str, has_gpu: bool, settings: Settings) -> None:
    """A release without a build for this kind of machine is skipped; a misspelt one fails."""
    from benchmark_tasks.catalog import load
    from benchmark_tasks.errors import UnknownVersion
    from benchmark_tasks.releases.index import distribution_for, require_version

    try:
        distribution_for(runtime, version, has_gpu=has_gpu, settings=settings)
    except UnknownVersion as error:
        if not has_gpu:
            require_version(load().project_of(runtime).project, version, settings)
            raise AirflowSkipException(f"nothing to measure: {error}") from error
        raise


def sweeps_on(planned: list[dict[str, Any]], num_gpus: int) -> list[dict[str, Any]]:
    """Of the planned sweeps those for the task with this many slots; a size in between takes the next one."""
    return [entry for entry in planned if _slots(entry["sweep"]["num_gpus"]) == num_gpus]


def _slots(num_gpus: int) -> int:
    return min(count for count in GPU_COUNTS if count >= num_gpus)


def choose_task_id(num_gpus: int) -> str:
    """Name of the task that picks the sweeps for `measure_task_id(num_gpus)`."""
    return measure_task_id(num_gpus).replace("measure", "sweeps")


def measure_task_id(num_gpus: int) -> str:
    """Name of the measuring task that takes this many GPUs."""
    match num_gpus:
        case 0:
            return "measure_on_cpu"
        case 1:
            return "measure_on_1_gpu"
        case _:
            return f"measure_on_{num_gpus}_gpus"


def require_measured(ti: RuntimeTaskInstance) -> None:
    """Skip the calling task unless something was measured, even if it then failed."""
    if not {"success", "failed"} & set(_measuring_states(ti).values()):
        raise AirflowSkipException("nothing was measured, nothing to announce")


def give_verdict(ti: RuntimeTaskInstance) -> str:
    """One line on the whole run.

    Raises:
        StepFailed: planning or a sweep failed; the line names the errors.
        AirflowSkipException: nothing was to be measured.
    """
    from jouleboard_airflow.failures import ERROR_PREFIX, StepFailed

    states = list(_measuring_states(ti).values())
    measured, failed = states.count("success"), states.count("failed")
    if failed:
        said = ti.xcom_pull(task_ids=[measure_task_id(count) for count in GPU_COUNTS], key="error")
        errors = [error for error in said if error] or ["see their logs"]
        line = f"{failed} of {measured + failed} sweeps failed: {'; '.join(errors)}"
    elif "upstream_failed" in states:
        line = "the release could not be planned: see the log of `plan`"
    elif not measured:
        raise AirflowSkipException("nothing to measure")
    else:
        return f"all {measured} sweeps measured and landed"
    log.error("%s%s", ERROR_PREFIX, line)
    raise StepFailed(line)


def _measuring_states(ti: RuntimeTaskInstance) -> dict[str, str]:
    """State of each measuring task of this run; mapped ones as `<task>_<index>`."""
    task_ids = [measure_task_id(count) for count in GPU_COUNTS]
    answer = ti.get_task_states(dag_id=ti.dag_id, task_ids=task_ids, run_ids=[ti.run_id])
    return answer.get(ti.run_id, {})


def import_results(source: str | None, note: str | None) -> dict[str, Any]:
    """Import what ML.ENERGY published.

    Raises:
        AirflowSkipException: the same files are imported already.
        ImportRefused, DiskFull
    """
    from benchmark_tasks.errors import ImportRefused
    from benchmark_tasks.imports.mlenergy import import_results as import_from

    if not source:
        raise ImportRefused("no source: trigger this DAG with the folder or address to import from")
    result = import_from(source, Settings.from_environment(), note=note)
    if not result.changed:
        raise AirflowSkipException(f"unchanged: {result.content_hash} is imported already")
    return {"content_hash": result.content_hash, "configurations": result.configurations}


def refresh(note: str | None, approve: str | None, who: str | None) -> dict[str, Any]:
    """Build, audit and publish. What a person must decide comes back as `question`, instead of an error.

    approve: why whatever a person may decide is right; no question then. who: started this run.

    Raises:
        GateRefused, BuildError, PublisherBusy, DiskFull
    """
    from benchmark_tasks.errors import ApprovalNeeded
    from expectations.approval import Approval, question

    try:
        return _publish(note, Approval(approve, who or "unknown") if approve else None)
    except ApprovalNeeded as needed:
        log.warning("%s", needed)
        return {"summary": str(needed), "question": vars(question(needed))}


def publish_approved(
    question: Mapping[str, str], answer: Mapping[str, str | None], note: str | None
) -> dict[str, Any]:
    """Build, audit and publish what a person approved, and nothing else that needs a person.

    answer: `who` and `why`.

    Raises:
        ApprovalNeeded: the changes are others by now. GateRefused, BuildError, PublisherBusy, DiskFull
    """
    from expectations.approval import Approval

    why = answer["why"] or "approved in Airflow, no reason given"
    return _publish(note, Approval(why, answer["who"] or "unknown", question["changes"]))


def _publish(note: str | None, approval: Approval | None) -> dict[str, Any]:
    """Dies with its supervisor, so that no second builder meets it."""
    from benchmark_tasks.runtimes.process import die_with_parent
    from expectations.refresh import refresh as build_and_publish

    die_with_parent(signal.SIGKILL)
    result = build_and_publish(Settings.from_environment(), note=note, approve=approval, say=log.info)
    return result.as_dict()


def announce(
    refreshed: Mapping[str, Any],
    approved: Mapping[str, Any] | None,
    answer: Mapping[str, str | None] | None,
) -> str:
    """How the refresh ended, in one line.

    approved: what `publish_approved` returned, if it ran. answer: `who` (None: time ran out) and `why`,
    if a person was asked.

    Raises:
        GateRefused: the person declined, or nobody answered in time.
        AirflowSkipException: nothing changed, so there is nothing to announce.
    """
    from benchmark_tasks.errors import GateRefused
    from expectations.approval import record_rejection

    ended = approved or refreshed
    if question := ended.get("question"):
        who, why = answer["who"], answer["why"]
        record_rejection(Settings.from_environment(), question["refused"], who, why)
        said = f"rejected by {who}" + (f" ({why})" if why else "") if who else "nobody answered in time"
        raise GateRefused(f"{said}: {question['refused']}")
    if not ended["changed"]:
        raise AirflowSkipException(ended["summary"])
    return ended["summary"]
