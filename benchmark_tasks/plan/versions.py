"""Which version of a runtime is measured: a named one, or the newest one that can be measured here."""

from __future__ import annotations

from packaging.version import InvalidVersion, Version

from benchmark_tasks.catalog import Catalog, WatchedProject
from benchmark_tasks.errors import NoBuildHere, UnknownVersion
from benchmark_tasks.settings import Settings
from benchmark_tasks.vocabulary import RuntimeName


def version_to_measure(
    catalog: Catalog,
    runtime: RuntimeName,
    version: str | None,
    *,
    has_gpu: bool,
    settings: Settings,
    offline: bool = False,
) -> str:
    """The named version, or the newest one that can be measured on this kind of machine.

    The package index is asked whether the version exists, unless the runtime is installed already.

    Args:
        offline: do not ask the index whether a named version exists.

    Raises:
        NoBuildHere: the project has that version, but none for this kind of machine.
        UnknownVersion: there is no such version, or none to measure here.
        IndexUnreachable: the index did not answer.
    """
    if version is None:
        return newest_version(catalog.project_of(runtime), settings, has_gpu=has_gpu)
    if not offline and settings.runtime_python is None:
        _require_build(catalog, runtime, version, has_gpu, settings)
    return version


def versions_to_measure(project: WatchedProject, settings: Settings, *, has_gpu: bool) -> list[str]:
    """Every version from the project's floor on that can be measured on this kind of machine, oldest first.

    Raises:
        IndexUnreachable: the index did not answer.
    """
    from benchmark_tasks.releases.index import watched_releases

    return [release.version for release in watched_releases(project, settings, has_gpu=has_gpu)]


def newest_version(project: WatchedProject, settings: Settings, *, has_gpu: bool) -> str:
    """The newest version that can be measured on this kind of machine.

    Raises:
        UnknownVersion: there is none.
        IndexUnreachable: the index did not answer.
    """
    versions = versions_to_measure(project, settings, has_gpu=has_gpu)
    if not versions:
        where = "with a GPU" if has_gpu else "without a GPU"
        raise UnknownVersion(
            f"{project.project} has no release since {project.floor} that runs {where}: name a version"
        )
    return versions[-1]


def normal_version(version: str) -> str:
    """The version as PEP 440 spells it, so that `v0.32` in a form equals `0.32` on the index."""
    try:
        return str(Version(version))
    except InvalidVersion as error:
        raise UnknownVersion(f"{version!r} is not a version number (PEP 440)") from error


def _require_build(
    catalog: Catalog, runtime: RuntimeName, version: str, has_gpu: bool, settings: Settings
) -> None:
    from benchmark_tasks.releases.index import distribution_for, require_version

    try:
        distribution_for(runtime, version, has_gpu=has_gpu, settings=settings)
    except UnknownVersion as error:
        if has_gpu:
            raise
        require_version(catalog.project_of(runtime).project, version, settings)
        raise NoBuildHere(str(error)) from error
