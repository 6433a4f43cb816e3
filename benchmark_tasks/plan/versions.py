"""Which version of a runtime is measured: a named one, or the newest one that can be measured here."""

from __future__ import annotations

import re
from collections.abc import Iterable

from packaging.version import Version

from benchmark_tasks.catalog import Catalog, WatchedProject
from benchmark_tasks.errors import IndexUnreachable, NoBuildHere, NotInstallableYet, UnknownVersion
from benchmark_tasks.releases.version_numbers import read_version
from benchmark_tasks.settings import Settings
from benchmark_tasks.vocabulary import RuntimeName

_HASHED = r"(config|environment)[.][0-9a-f]+"
START_LABEL = rf"[+]((({_HASHED})|endpoint|sleep)([.](({_HASHED})|sleep))*)$"
"""What a measured version says of how its server was started: a regular expression, for DuckDB, too."""
_STARTED = re.compile(START_LABEL)


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

    `0.26` and `0.26.0` are one release: the spelling is that of the index, or of what is installed.
    The package index is asked whether the version exists, unless that version is installed already. Without a
    named version, a host that has its runtime already measures that one; if the index does not answer, the
    newest version that is installed is measured.

    Args:
        offline: do not ask the index whether a named version exists.

    Raises:
        NoBuildHere: the project has that version, but none for this kind of machine.
        NotInstallableYet: there is that version, but no file of it that can be installed.
        UnknownVersion: there is no such version, or none to measure here.
        IndexUnreachable: the index did not answer.
    """
    project = catalog.project_of(runtime)
    if version is None:
        return _newest_here(project, settings, has_gpu=has_gpu)
    if settings.runtime_python is not None:
        return spelled_as_one_of(version, _host_versions(project, settings)) or version
    here = _installed_versions(project.distribution(has_gpu=has_gpu), settings)
    if (spelled := spelled_as_one_of(version, here)) is not None or offline:
        return spelled or version
    return _version_with_build(catalog, runtime, version, has_gpu, settings)


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


def _newest_here(project: WatchedProject, settings: Settings, *, has_gpu: bool) -> str:
    """The newest version, also on a host that has its own runtime, or without an index that answers."""
    own = _host_versions(project, settings)
    if own:
        return own[-1]
    try:
        return newest_version(project, settings, has_gpu=has_gpu)
    except IndexUnreachable:
        installed = _installed_versions(project.distribution(has_gpu=has_gpu), settings)
        if not installed:
            raise
        return installed[-1]


def _host_versions(project: WatchedProject, settings: Settings) -> list[str]:
    """Versions of the project that the host has by itself (`Settings.runtime_python`), oldest first."""
    if settings.runtime_python is None:
        return []
    from benchmark_tasks.runtimes.environments import host_runtime, host_versions

    names = (project.distribution_with_gpu, project.distribution_without_gpu)
    packages = [host_runtime(settings, folder)[1] for folder in host_versions(settings)]
    versions = {Version(listed[name]).public for listed in packages for name in names if name in listed}
    return sorted(versions, key=Version)


def spelled_as_one_of(version: str, known: Iterable[str]) -> str | None:
    """The one of some versions that is the same release (`0.26` and `0.26.0`); `None` if none is."""
    wanted = read_version(version)
    return next((each for each in known if _same(each, wanted)), None)


def _same(version: str, wanted: Version) -> bool:
    try:
        return read_version(version) == wanted
    except UnknownVersion:
        return False


def _installed_versions(distribution: str | None, settings: Settings) -> list[str]:
    """Versions of a package that have an environment on this machine, oldest first."""
    from benchmark_tasks.runtimes.environments import installed

    prefix = f"{distribution}-"
    names = [name.removeprefix(prefix) for name in installed(settings) if name.startswith(prefix)]
    return sorted((name for name in names if name[:1].isdigit()), key=Version)


def normal_version(version: str) -> str:
    """The version as PEP 440 spells it, so that `v0.32` in a form equals `0.32` on the index."""
    return str(read_version(version))


def _version_with_build(
    catalog: Catalog, runtime: RuntimeName, version: str, has_gpu: bool, settings: Settings
) -> str:
    """As the index spells it."""
    from benchmark_tasks.releases.index import build_for, find_version

    try:
        return build_for(runtime, version, has_gpu=has_gpu, settings=settings)[1]
    except NotInstallableYet:
        raise
    except UnknownVersion as error:
        if has_gpu:
            raise
        find_version(catalog.project_of(runtime).project, version, settings)
        raise NoBuildHere(str(error)) from error


def how_started(version: str) -> str:
    """What a measured version says of how its server was started; empty: as usual.

    The label that `Sweep.measured_version` adds: `0.26.0+cu128+config.2c1d.sleep` gives `config.2c1d.sleep`.
    dbt has the same as a macro (`dbt_project/macros/versions.sql`).
    """
    found = _STARTED.search(version)
    return found[1] if found else ""


def release_of(version: str) -> str:
    """The release of a measured version: the version without how its server was started."""
    return _STARTED.sub("", version)
