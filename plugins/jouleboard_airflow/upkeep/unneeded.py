"""What the policy lets go, kind by kind. Looking changes nothing."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import psutil
from packaging.version import InvalidVersion, Version

from benchmark_tasks import catalog as catalogs
from benchmark_tasks.catalog import Housekeeping
from benchmark_tasks.disk import lock
from benchmark_tasks.errors import LandingZoneUnreachable, PublicationError, PublisherBusy
from benchmark_tasks.imports import mlenergy
from benchmark_tasks.plan.versions import release_of
from benchmark_tasks.results import cold
from benchmark_tasks.results.remote import Remote
from benchmark_tasks.results.store import Store
from benchmark_tasks.runtimes import environments
from benchmark_tasks.settings import Settings
from expectations import publications
from expectations.sql import load_sql
from jouleboard_airflow.upkeep.findings import Findings, Kind, Removable, size

_REMOVED = ".removed"

_NEEDED_RELEASES = Path(__file__).with_name("needed_releases.sql")


def old_environments(settings: Settings, policy: Housekeeping) -> Findings:
    """Environments of releases that do not rank, are not compared, not new, and were not used lately."""
    rule = policy.environments
    there = environments.kept(settings)
    try:
        needed, note = _releases_needed(settings, rule.compared_versions)
    except PublicationError as error:
        return Findings(Kind.ENVIRONMENTS, size(settings.environments), note=f"all are kept: {error}")
    since = datetime.now(UTC) - timedelta(days=rule.unused_days)
    newest = _newest(there, rule.newest)
    used = _in_use(settings.environments)
    removable = [
        Removable(item.path.name, size(item.path), partial(_remove_environment, item))
        for item in there
        if (item.distribution, item.version) not in needed
        and item not in newest
        and item.last_used < since
        and item.path.name not in used
    ]
    for path in environments.unfinished(settings):
        removable.append(Removable(f"{path.name} (not finished)", size(path), partial(_remove, path)))
    return Findings(Kind.ENVIRONMENTS, size(settings.environments), tuple(removable), note)


def old_task_logs(policy: Housekeeping, folder: Path) -> Findings:
    """Logs of runs of DAGs in which nothing was written for some days."""
    since = (datetime.now(UTC) - timedelta(days=policy.task_logs.days)).timestamp()
    removable = [
        Removable(f"{run.parent.name}/{run.name}", size(run), partial(_remove, run))
        for run in sorted(folder.glob("dag_id=*/run_id=*"))
        if all(path.lstat().st_mtime < since for path in (run, *run.rglob("*")))
    ]
    removable += _half_removed(folder.glob("dag_id=*"))
    return Findings(Kind.TASK_LOGS, sum(size(path) for path in folder.glob("dag_id=*")), tuple(removable))


def old_raw(settings: Settings, policy: Housekeeping) -> Findings:
    """Bundles that may move to cold storage. Their records and checksums stay here."""
    rule = policy.raw
    url = settings.raw_url or rule.cold
    since = datetime.now(UTC) - timedelta(days=rule.after_days)
    store = Store(settings.raw)
    old = [
        path
        for run, path in store.records().runs
        if run.started_at < since and not cold.is_cold(path) and path == store.path_of(run)
    ]
    total = size(settings.raw)
    if url is None:
        could = sum(map(cold.size, old))
        note = f"{len(old)} runs ({could / 1e6:,.1f} MB) could move if raw.cold named a place" if old else ""
        return Findings(Kind.RAW, total, note=note)
    storage = Remote(url)
    removable = [
        Removable(path.name, cold.size(path), partial(_move_away, store, path, storage)) for path in old
    ]
    return Findings(Kind.RAW, total, tuple(removable), f"moves to {url}" if old else "")


def old_imports(settings: Settings, policy: Housekeeping) -> Findings:
    """Imports that newer ones have replaced; never the current one."""
    removable = []
    for root in sorted(path for path in settings.imports.glob("*") if path.is_dir()):
        current = (root / mlenergy.CURRENT).resolve()
        folders = [path for path in root.glob("[!.]*") if path.is_dir() and not path.is_symlink()]
        earlier = sorted((path for path in folders if path != current), key=lambda path: path.stat().st_mtime)
        for path in earlier[: max(len(earlier) - policy.imports.earlier, 0)]:
            removable.append(Removable(path.name, size(path), partial(_remove, path)))
        removable += _half_removed([root])
    return Findings(Kind.IMPORTS, size(settings.imports), tuple(removable))


def old_publications(settings: Settings, policy: Housekeeping) -> Findings:
    """Publications that nothing needs, as `publications.retirable` says."""
    kept = policy.publications.newest
    try:
        old = publications.retirable(settings, kept)
    except PublicationError as error:
        return Findings(Kind.PUBLICATIONS, size(settings.published), note=str(error))
    paths = [item.path for item in old]
    what = ", ".join(str(item.number) for item in old)
    removable = Removable(what, sum(map(size, paths)), lambda: _retire(settings, kept, paths))
    return Findings(Kind.PUBLICATIONS, size(settings.published), (removable,) if old else ())


def _releases_needed(settings: Settings, versions_back: int) -> tuple[set[tuple[str, str]], str]:
    """Packages and versions that rank or are compared, and a note if that is not known here.

    Raises:
        PublicationError: the current publication cannot be read.
    """
    if publications.current(settings) is None:
        return set(), "nothing is published here: the newest and the used ones are kept"
    sql = load_sql(_NEEDED_RELEASES, versions_back=versions_back)
    rows = publications.query(settings, sql).rows
    packages: defaultdict[str, set[str | None]] = defaultdict(set)
    watch = catalogs.load(overlay=settings.catalog).watch
    for project in (*watch.projects, *watch.on_demand):
        packages[str(project.runtime)] |= {project.distribution_with_gpu, project.distribution_without_gpu}
    releases = {(str(runtime), release_of(str(version))) for runtime, version in rows}
    return {(name, release) for runtime, release in releases for name in packages[runtime] if name}, ""


def _newest(there: Iterable[environments.Kept], count: int) -> set[environments.Kept]:
    by_package = defaultdict(list)
    for item in sorted(there, key=lambda item: _order(item.version), reverse=True):
        by_package[item.distribution].append(item)
    return {item for items in by_package.values() for item in items[:count]}


def _order(version: str) -> Version:
    try:
        return Version(version)
    except InvalidVersion:
        return Version("0")


def _in_use(folder: Path) -> set[str]:
    """Names of the environments that a process of this machine runs from."""
    used = set()
    prefix = f"{folder.resolve()}/"
    for process in psutil.process_iter():
        try:
            parts = [*process.cmdline()[:2], process.exe()]
        except psutil.Error:
            continue
        used |= {part.removeprefix(prefix).partition("/")[0] for part in parts if part.startswith(prefix)}
    return used


def _remove_environment(item: environments.Kept) -> int:
    freed = size(item.path)
    return freed if environments.remove(item) else 0


def _half_removed(folders: Iterable[Path]) -> list[Removable]:
    """What killed calls of `_remove` left."""
    left = sorted(path for folder in folders for path in folder.glob(f".*{_REMOVED}"))
    return [Removable(path.name, size(path), partial(_remove, path)) for path in left]


def _remove(path: Path) -> int:
    """Remove a folder: its name is gone at once, its content a little later."""
    freed = size(path)
    trash = path.with_name(f".{path.name}{_REMOVED}")
    if not path.name.endswith(_REMOVED):
        path.rename(trash)
        path = trash
    shutil.rmtree(path)
    return freed


def _retire(settings: Settings, kept: int, paths: list[Path]) -> int:
    before = sum(map(size, paths))
    with publications.publishing(settings, 60.0):
        publications.retire(settings, kept)
    return before - sum(map(size, paths))


def _move_away(store: Store, path: Path, storage: Remote) -> int:
    """Move a bundle. A folder must be there: one that is not mounted would be made on this disk."""
    if "://" not in storage.url and not Path(storage.url).is_dir():
        raise LandingZoneUnreachable(f"the cold storage {storage.url} is not there: mount or make the folder")
    freed = cold.size(path)
    busy = PublisherBusy(f"another housekeeping moves runs of {store.root}; try again when it ends")
    with lock(store.root / cold.COLD / ".lock", busy=lambda holder: busy):
        cold.set_address(store.root, storage.url)
        if path.exists():
            store.move_to_cold(path, storage)
    return freed
