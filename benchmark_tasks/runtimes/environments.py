"""One isolated environment per runtime version, made on demand from the package index and kept.

    <home>/environments/<distribution>-<version>/      a venv, with environment.json inside
    <home>/environments/<distribution>-<version>.log   what the installers said
    <home>/environments/.making/                       unfinished ones

An environment is made aside and renamed when it is complete, so that one killed half-way is never
used; callers that want the same one wait for each other. Two kinds are not made: the mock server
runs in this interpreter, and a host may have the runtime installed already
(`Settings.runtime_python`). Such a host needs none of the installers, so they are imported late.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import IO

from benchmark_tasks import disk
from benchmark_tasks.disk import disk_full_is_an_error
from benchmark_tasks.errors import EnvironmentBuildError, SettingsError, UnknownVersion
from benchmark_tasks.runtimes import kinds
from benchmark_tasks.runtimes.installer import Installer, Progress
from benchmark_tasks.runtimes.interpreter import LIST_PACKAGES, ask, packages_from, same_release
from benchmark_tasks.settings import Settings

HOST = "host"
VERSION = "{version}"
"""In a host's PYTHONPATH: where several versions of a runtime lie in folders of their own."""

RECORD_FILE = "environment.json"
MAKING = ".making"

LOCK_SECONDS = 3600.0


@dataclass(frozen=True)
class Environment:
    """A place where a runtime can be started.

    path: its folder.
    python: the interpreter to run modules with.
    packages: every installed package and its version.
    lock_hash: SHA-256 of `packages`; equal hashes are equal environments.
    variables: environment variables a process in it needs (PYTHONPATH of a host's own runtime).
    """

    path: Path
    python: Path
    packages: Mapping[str, str]
    lock_hash: str
    variables: Mapping[str, str] = field(default_factory=dict)


def ensure(
    distribution: str, version: str, settings: Settings, *, progress: Progress = lambda line: None
) -> Environment:
    """The environment of a runtime version; made if it is not there yet (minutes, gigabytes).

    `progress` is given one line per step, and one every 15 s of a long step.

    Raises:
        UnknownVersion: the index (or the host's own runtime) has no such version.
        IndexUnreachable: the index did not answer.
        EnvironmentBuildError: an installer failed; carries its last telling line.
        DiskFull: no space left; the unfinished environment was removed.
    """
    if distribution == kinds.MOCK:
        return _described(Path(sys.prefix), Path(sys.executable), {})
    if distribution == HOST or settings.runtime_python is not None:
        return _host(distribution, version, settings)
    final = settings.environments / f"{distribution}-{version}"
    ready = _existing(final)
    if ready is not None:
        _note_use(final)
        return ready
    # Only here: a GPU host that has its runtime already needs neither the index nor an installer.
    from benchmark_tasks.releases.index import require_version

    require_version(distribution, version, settings)
    with disk_full_is_an_error(settings.home):
        settings.environments.mkdir(parents=True, exist_ok=True)
        with _lock(final, progress):
            return _existing(final) or _make(final, distribution, version, settings, progress)


def host_versions(settings: Settings) -> tuple[str, ...]:
    """What `{version}` in the host's PYTHONPATH can stand for; one empty text where it is not used."""
    named = [part for part in (settings.runtime_pythonpath or "").split(os.pathsep) if VERSION in part]
    if not named:
        return ("",)
    where = str(Path(named[0]).absolute())
    first, *others = (re.escape(part) for part in where.split(VERSION))
    folder = re.compile("(?P<version>[^/]+)".join([first, "(?P=version)".join(others)]))
    paths = Path("/").glob(glob.escape(where[1:]).replace(VERSION, "*"))
    named_so = (folder.fullmatch(str(path)) for path in paths if path.is_dir())
    return tuple(sorted(match["version"] for match in named_so if match))


@dataclass(frozen=True)
class Kept:
    """A complete environment on disk. last_used: when it was last asked for."""

    path: Path
    distribution: str
    version: str
    last_used: datetime


def kept(settings: Settings) -> list[Kept]:
    """Every complete environment, by name."""
    found = []
    for name in installed(settings):
        path = settings.environments / name
        record = json.loads((path / RECORD_FILE).read_text())
        used = datetime.fromtimestamp((path / RECORD_FILE).stat().st_mtime, UTC)
        found.append(Kept(path, record["distribution"], record["version"], used))
    return found


def remove(environment: Kept) -> bool:
    """Remove an environment, unless it was asked for since it was listed; returns whether it is gone.

    Raises:
        EnvironmentBuildError: another process is making it.
    """
    lock = disk.lock(
        environment.path.with_name(f".{environment.path.name}.lock"),
        busy=lambda holder: EnvironmentBuildError(f"environment {environment.path.name} is being made"),
    )
    with lock:
        record = environment.path / RECORD_FILE
        if not record.exists() or record.stat().st_mtime > environment.last_used.timestamp():
            return not record.exists()
        trash = environment.path.parent / MAKING / f"{environment.path.name}.{os.getpid()}"
        trash.parent.mkdir(exist_ok=True)
        environment.path.rename(trash)
        shutil.rmtree(trash)
        environment.path.with_name(environment.path.name + ".log").unlink(missing_ok=True)
        return True


def unfinished(settings: Settings) -> list[Path]:
    """Environments that killed processes left half made or half removed."""
    folders = (settings.environments / MAKING).glob("*.*")
    return sorted(path for path in folders if not Path(f"/proc/{path.name.rpartition('.')[2]}").exists())


def installed(settings: Settings) -> tuple[str, ...]:
    """Names (`<distribution>-<version>`) of the environments that are complete."""
    folders = (path for path in sorted(settings.environments.glob("[!.]*")) if path.is_dir())
    return tuple(path.name for path in folders if _existing(path) is not None)


def host_runtime(settings: Settings, version: str) -> tuple[Environment, dict[str, str]]:
    """The host's own environment for a version, and the runtimes it holds with their versions.

    Raises:
        SettingsError: no interpreter is set.
        EnvironmentBuildError: the interpreter cannot be run.
    """
    if settings.runtime_python is None:
        raise SettingsError("set JOULEBOARD_RUNTIME_PYTHON to the interpreter that has the runtime")
    python, path = settings.runtime_python, settings.runtime_pythonpath
    path = path and path.replace(VERSION, version)
    environment = _described(python.parent.parent, python, {"PYTHONPATH": path} if path else {})
    packages = environment.packages
    return environment, {name: packages[name] for name in kinds.distributions() if name in packages}


def _existing(final: Path) -> Environment | None:
    """The finished environment in a folder; `None` if there is none, or its interpreter is gone."""
    python = final / "bin" / "python"
    try:
        record = json.loads((final / RECORD_FILE).read_text())
        packages = dict(record["packages"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return _environment(final, python, packages) if python.exists() else None


def _note_use(final: Path) -> None:
    """Housekeeping keeps what was used lately. A folder of another owner is left as it is."""
    with contextlib.suppress(OSError):
        os.utime(final / RECORD_FILE)


def _make(
    final: Path, distribution: str, version: str, settings: Settings, progress: Progress
) -> Environment:
    """Build aside, record what is in it, rename. The caller holds the lock."""
    making = final.parent / MAKING / f"{final.name}.{os.getpid()}"
    making.parent.mkdir(exist_ok=True)
    for leftover in (*making.parent.glob(f"{final.name}.*"), final):
        shutil.rmtree(leftover, ignore_errors=True)
    installer = Installer(making, final.with_name(final.name + ".log"), settings, progress)
    try:
        installer.install(distribution, version, kinds.distributions().get(distribution))
        described = _described(making, installer.python, {})
        record = {
            "distribution": distribution,
            "version": version,
            "packages": dict(described.packages),
            "lock_hash": described.lock_hash,
        }
        (making / RECORD_FILE).write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
        making.rename(final)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    progress(f"environment {final.name} is ready: {len(described.packages)} packages")
    return _environment(final, final / "bin" / "python", described.packages)


def _host(distribution: str, version: str, settings: Settings) -> Environment:
    """The runtime that this host has already; its version must be the one asked for."""
    environment, versions = host_runtime(settings, version)
    known = kinds.distributions()
    module = known[distribution].imported_as if distribution in known else None
    releases = [v for name, v in versions.items() if module in (known[name].imported_as, None)]
    if not any(same_release(has, version) for has in releases):
        has = ", ".join(releases) or "no such runtime"
        others = [other for other in host_versions(settings) if other]
        folders = f" (there are {', '.join(others)})" if others else ""
        raise UnknownVersion(
            f"{environment.python} has {has}, not {distribution} {version}{folders}: change "
            "JOULEBOARD_RUNTIME_PYTHON or JOULEBOARD_RUNTIME_PYTHONPATH"
        )
    return environment


def _described(path: Path, python: Path, variables: Mapping[str, str]) -> Environment:
    """An environment with the packages that its interpreter sees."""
    packages = packages_from(ask(python, LIST_PACKAGES, variables))
    return _environment(path, python, packages, variables)


def _environment(
    path: Path, python: Path, packages: Mapping[str, str], variables: Mapping[str, str] | None = None
) -> Environment:
    lines = "\n".join(f"{name}=={version}" for name, version in sorted(packages.items()))
    return Environment(
        path=path,
        python=python,
        packages=MappingProxyType(dict(sorted(packages.items()))),
        lock_hash=hashlib.sha256(lines.encode()).hexdigest(),
        variables=MappingProxyType(dict(variables or {})),
    )


def _lock(final: Path, progress: Progress) -> IO[str]:
    """Hold the environment's lock file, as `disk.lock` does."""
    return disk.lock(
        final.with_name(f".{final.name}.lock"),
        busy=lambda holder: EnvironmentBuildError(
            f"environment {final.name}: another process has been installing it for over an hour"
        ),
        wait_seconds=LOCK_SECONDS,
        waiting=lambda: progress(f"environment {final.name}: another process is installing it, waiting"),
    )
