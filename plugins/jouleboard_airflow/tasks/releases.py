"""What the DAGs' tasks do: calls of the same functions as the `jouleboard` command.

Imported by DAG files, so everything heavy is imported inside the functions.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow.sdk.exceptions import AirflowSkipException

from benchmark_tasks.errors import IndexUnreachable, JouleboardError, SettingsError, UnknownVersion, one_line
from benchmark_tasks.settings import Settings
from jouleboard_airflow.tasks import choices

if TYPE_CHECKING:
    from benchmark_tasks.catalog import WatchedProject
    from benchmark_tasks.releases.index import Release
    from expectations.gate.approval import Approval

log = logging.getLogger("airflow.task")


class Found(NamedTuple):
    """What the package index has. runs: arguments of the triggers. unknown: a line per project not known."""

    runs: list[dict[str, Any]]
    unknown: list[str]


def releases_to_benchmark(params: Mapping[str, Any]) -> Found:
    """One run per release from the floor on that can be measured here.

    Every call returns all of them; as a run id exists only once, each release gets one run, also after days
    without a watch. A project whose page cannot be read does not stop the others.

    Raises:
        Impossible: a field of the form asks for something that cannot be done here.
        IndexUnreachable, UnknownVersion: the page of no project that is measured here can be read.
        CatalogError
    """
    from benchmark_tasks.catalog import load
    from jouleboard_airflow.tasks.planning import machines_of

    settings = Settings.from_environment()
    catalog = load(overlay=settings.catalog)
    fields = (*(floor_param(project.project) for project in catalog.watch.projects), "gpu_model", "hub")
    choices.require_possible(choices.with_gpu_model(params, fields))
    has_gpu = any(machine.has_gpu for machine in machines_of(catalog, params["gpu_model"]))
    runs: list[dict[str, Any]] = []
    errors: dict[str, JouleboardError] = {}
    for project in catalog.watch.projects:
        floor = params.get(floor_param(project.project)) or configured_floor(project.project) or project.floor
        _require_version(project.project, floor)
        watched = project.model_copy(update={"floor": floor})
        try:
            versions = _measurable(watched, settings, has_gpu)
        except (IndexUnreachable, UnknownVersion) as error:
            if project.distribution(has_gpu=has_gpu) is None:
                log.warning(
                    "%s is not measured here, and its releases are not known: %s", project.project, error
                )
            else:
                log.error("%s: %s", project.project, error)
                errors[project.project] = error
            continue
        for version in versions:
            conf = {"runtime": project.runtime, "version": version, "gpu_model": params["gpu_model"]}
            runs.append({"trigger_run_id": release_run_id(project.project, version), "conf": conf})
    measured = [each for each in catalog.watch.projects if each.distribution(has_gpu=has_gpu) is not None]
    if errors and len(errors) == len(measured):
        raise next(iter(errors.values()))
    return Found(runs, [f"{name}: {error}" for name, error in errors.items()])


def _require_version(project: str, floor: str) -> None:
    from benchmark_tasks.releases.version_numbers import read_version

    try:
        read_version(floor)
    except UnknownVersion as error:
        raise SettingsError(f"{project}: the oldest release to measure: {error}") from error


def require_all_known(unknown: list[str]) -> None:
    """Fail after the other projects' releases were found.

    Raises:
        IndexUnreachable: the page of a project could not be read.
    """
    if unknown:
        raise IndexUnreachable(" | ".join(unknown))


def _measurable(project: WatchedProject, settings: Settings, has_gpu: bool) -> list[str]:
    """Versions to measure here; the log has one line per version that is left out."""
    from benchmark_tasks.releases.index import is_to_be_measured, list_releases

    name, distribution = project.project, project.distribution(has_gpu=has_gpu)
    here = list_releases(distribution, settings, floor=project.floor) if distribution else []
    versions = [release.version for release in here if is_to_be_measured(release, project)]
    listed = here if distribution == name else list_releases(name, settings, floor=project.floor)
    not_yet = {release.version: release.not_yet for release in here if release.not_yet}
    _note_seen(name, listed, settings)
    for release in listed:
        if release.version not in versions:
            reason = not_yet.get(release.version)
            why = f"not yet, {distribution}: {reason}" if reason else _why_not(project, release, has_gpu)
            log.info("%s %s: skipped, %s", name, release.version, why)
    log.info("%s: %d releases from %s on to be measured: %s", name, len(versions), project.floor, versions)
    return versions


def _note_seen(project: str, listed: list[Release], settings: Settings) -> None:
    """For the digest; if it cannot be noted, releases are measured all the same."""
    from benchmark_tasks.releases import seen

    versions = [release.version for release in listed if not (release.yanked or release.prerelease)]
    try:
        seen.note(project, versions, settings, datetime.now(UTC))
    except (JouleboardError, OSError) as error:
        log.warning("%s: the digest will not know which releases were seen: %s", project, one_line(error))


def _why_not(project: WatchedProject, release: Release, has_gpu: bool) -> str:
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
    """`JOULEBOARD_VLLM_FLOOR` and similar variables; the default is in the catalog."""
    return environment.get(f"JOULEBOARD_{project.upper().replace('-', '_')}_FLOOR") or None


def release_run_id(project: str, version: str) -> str:
    """Id of the one run that measures a release. Airflow takes no `!`, which a version with an epoch has."""
    return f"release__{project}__{version.replace('!', '~')}"


def import_results(source: str | None, note: str | None) -> dict[str, Any]:
    """Import what ML.ENERGY published; without a source, from where ML.ENERGY publishes it.

    Raises:
        AirflowSkipException: the same files are imported already.
        ImportRefused, DiskFull
    """
    from benchmark_tasks.imports.mlenergy import import_results as import_from

    result = import_from(source, Settings.from_environment(), note=note)
    if not result.changed:
        raise AirflowSkipException(f"unchanged: {result.content_hash} is imported already")
    return {"content_hash": result.content_hash, "configurations": result.configurations}


def refresh(note: str | None, approve: str | None, who: str | None) -> dict[str, Any]:
    """Build, audit and publish. If a person must decide, the result has a `question` instead of an error.

    approve: reason to approve all changes that a person may approve, without a question. who: the person
        that started this run.

    Raises:
        AirflowSkipException: nothing has landed yet.
        GateRefused, BuildError, PublisherBusy, DiskFull
    """
    from benchmark_tasks.errors import ApprovalNeeded, NothingToPublish
    from expectations.gate.approval import Approval, question

    try:
        return _publish(note, Approval(approve, who or "unknown") if approve else None)
    except NothingToPublish as nothing:
        raise AirflowSkipException(str(nothing)) from nothing
    except ApprovalNeeded as needed:
        log.warning("%s", needed)
        return {"summary": str(needed), "question": vars(question(needed))}


def publish_approved(
    question: Mapping[str, str], answer: Mapping[str, str | None], note: str | None
) -> dict[str, Any]:
    """Build, audit and publish the changes that a person approved, and no others that need approval.

    answer: `who` and `why`.

    Raises:
        ApprovalNeeded: the changes are no longer those. GateRefused, BuildError, PublisherBusy, DiskFull
    """
    from expectations.gate.approval import Approval

    why = answer["why"] or "approved in Airflow, no reason given"
    return _publish(note, Approval(why, answer["who"] or "unknown", question["changes"]))


def _publish(note: str | None, approval: Approval | None) -> dict[str, Any]:
    """Publish. This process ends with its supervisor, so that a retry never runs beside it."""
    from benchmark_tasks.processes import collect_garbage_rarely, die_with_parent

    collect_garbage_rarely()
    from expectations.refresh import refresh as build_and_publish

    die_with_parent(signal.SIGKILL)
    result = build_and_publish(Settings.from_environment(), note=note, approve=approval, say=log.info)
    return result.as_dict()


def copy_to_database() -> str:
    """Copy the current publication into the database that the settings name; returns what was done.

    Raises:
        AirflowSkipException: none is named, it has this publication, or nothing is published.
        SettingsError, DatabaseUnreachable, PublicationError: it was not copied; readers keep the last copy.
    """
    from benchmark_tasks.processes import die_with_parent
    from expectations import publications
    from expectations.exports import bring_up_to_date

    die_with_parent(signal.SIGKILL)
    settings = Settings.from_environment()
    published = publications.current(settings)
    done = bring_up_to_date(settings, published) if published else None
    if done is None:
        raise AirflowSkipException("no database is named (JOULEBOARD_PUBLISH_TO), or it is up to date")
    log.info("%s", done)
    return done


def announce(
    refreshed: Mapping[str, Any] | None,
    approved: Mapping[str, Any] | None,
    answer: Mapping[str, str | None] | None,
) -> str:
    """How the refresh ended, in one line.

    refreshed: what `refresh` returned; None if nothing has landed yet. approved: what `publish_approved`
    returned, if it ran. answer: `who` (None: time ran out) and `why`,
    if a person was asked.

    Raises:
        GateRefused: the person rejected the changes, or nobody answered in time.
        AirflowSkipException: nothing changed or nothing has landed yet, so there is nothing to announce.
    """
    from benchmark_tasks.errors import GateRefused
    from expectations.gate.approval import record_rejection

    ended = approved or refreshed
    if ended is None:
        raise AirflowSkipException("nothing has landed yet")
    if question := ended.get("question"):
        assert answer is not None, "the question was answered, or its time is over"
        who, why = answer["who"], answer["why"]
        record_rejection(Settings.from_environment(), question["refused"], who, why)
        outcome = f"rejected by {who}" + (f" ({why})" if why else "") if who else "nobody answered in time"
        raise GateRefused(f"{outcome}: {question['refused']}")
    if not ended["changed"]:
        raise AirflowSkipException(ended["summary"])
    return str(ended["summary"])
