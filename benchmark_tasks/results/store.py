"""The landing zone: `raw/<task>/<year-month>/<run_id>/`, each bundle whole or absent.

Landing is a directory rename, so any number of workers land at once without a lock: processes of one
machine, or machines that share the folder.

With an object store (`remote.py`) the folder holds this machine's copy of it. What is measured waits
whole under `.outgoing` until it has been sent; what others landed is fetched and verified when asked for.
Bundles never change, so a copy is never stale.

Old bundles may be in cold storage (`cold.py`); then only their records and checksums lie here, in `.cold`.
"""

from __future__ import annotations

import errno
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from os.path import exists
from pathlib import Path

from benchmark_tasks.disk import disk_full_is_an_error, sync
from benchmark_tasks.errors import BundleError, LandingZoneUnreachable, SignatureError
from benchmark_tasks.results import bundle, cold
from benchmark_tasks.results.remote import Remote
from benchmark_tasks.results.schema import Run
from benchmark_tasks.results.short import Shortener
from benchmark_tasks.settings import Settings
from benchmark_tasks.signing import KeyKind, Registry, signed_by

INCOMING = ".incoming"
OUTGOING = ".outgoing"
RECORDS = ".records"

ABANDONED_SECONDS = 7 * 24 * 3600.0
"""After this time, what another host staged counts as abandoned: its processes cannot be seen from here."""


@dataclass(frozen=True)
class BrokenBundle:
    """A folder in the landing zone that cannot be read, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Listing:
    """Content of the landing zone: readable runs with their folders, and broken bundles."""

    runs: tuple[tuple[Run, Path], ...]
    broken: tuple[BrokenBundle, ...]


def our_runs(listing: Listing, registry: Registry) -> Listing:
    """A listing without what contributors measured: their runs are not measured by us.

    Who signed is read, not verified: whoever forges that gets a run measured that need not be.
    """
    if not any(key.kind is KeyKind.CONTRIBUTOR for key in registry.keys):
        return listing
    return replace(listing, runs=tuple(run for run in listing.runs if not _is_contributed(run[1], registry)))


def _is_contributed(folder: Path, registry: Registry) -> bool:
    try:
        key = registry.find(signed_by(folder) or "")
    except SignatureError:
        return False  # the gate says so
    return key is not None and key.kind is KeyKind.CONTRIBUTOR


class Store:
    """The landing zone under `root`; with a `remote`, this machine's copy of it."""

    def __init__(self, root: Path, remote: Remote | None = None) -> None:
        self.root = root
        self.remote = remote

    @classmethod
    def of(cls, settings: Settings) -> Store:
        """The landing zone of an installation."""
        return cls(settings.raw, Remote(settings.raw_url) if settings.raw_url else None)

    @property
    def where(self) -> str:
        """The landing zone's address, for people."""
        return self.remote.url if self.remote else str(self.root)

    @contextmanager
    def staging(self, run_id: str) -> Iterator[Path]:
        """A private folder on the landing zone's own file system; removed unless it was landed."""
        path = self.root / INCOMING / f"{run_id}.{_HOST}.{os.getpid()}" / run_id
        with disk_full_is_an_error(self.root):
            path.mkdir(parents=True)
        try:
            yield path
        finally:
            shutil.rmtree(path.parent, ignore_errors=True)

    def land(self, staged: Path) -> Path:
        """Move a staged, complete bundle into place. Idempotent by run id.

        If the remote does not answer, no error is raised: the bundle waits for `send`.

        Returns the bundle's final folder.

        Raises:
            BundleError: the staged bundle is not complete.
            DiskFull: no space; nothing was landed.
        """
        run = bundle.verify(staged)
        final = self.path_of(run)
        if there := self._present(final):
            return there
        with disk_full_is_an_error(self.root):
            for file in staged.iterdir():
                sync(file)
            sync(staged)
            _move(staged, self._outgoing(run) if self.remote else final)
        if self.remote:
            with suppress(LandingZoneUnreachable):
                self.send()
        return final

    def send(self) -> int:
        """Send the bundles that wait to be sent, and move them into place here; returns how many.

        Raises:
            LandingZoneUnreachable: some are still waiting; sending again is harmless.
        """
        if self.remote is None:
            return 0
        waiting = sorted((self.root / OUTGOING).glob("*/*/*"))
        for path in waiting:
            where = path.relative_to(self.root / OUTGOING)
            try:
                self.remote.send(path, where.as_posix())
            except LandingZoneUnreachable as error:
                if not path.exists():
                    continue  # another process sent it meanwhile
                kept = f"{len(waiting)} runs wait in {self.root / OUTGOING} for the next measurement"
                raise LandingZoneUnreachable(f"{error}; {kept} or `jouleboard land`") from error
            _move(path, self.root / where)
        return len(waiting)

    def land_copy(self, source: Path) -> Path:
        """Land a copy of a bundle in another folder (from another host, `recorded_runs/`)."""
        run = bundle.verify(source)
        if there := self._present(self.path_of(run)):
            return there
        with self.staging(run.run_id) as staged, disk_full_is_an_error(self.root):
            for file in source.iterdir():
                shutil.copyfile(file, staged / file.name)
            return self.land(staged)

    def path_of(self, run: Run) -> Path:
        """The folder of a run's bundle."""
        return self.root / run.configuration.task.value / f"{run.started_at:%Y-%m}" / run.run_id

    def folder_of(self, run: Run) -> Path:
        """The folder that a landed run lies in now: its own, or the one of cold storage."""
        final = self.path_of(run)
        return self._present(final) or final

    def find(self, run_id: str) -> Path | None:
        """The folder of a landed run, its own or the one of cold storage; `None` if it is not here."""
        places = (self.root, self.root / cold.COLD)
        return next((path for place in places for path in place.glob(f"[!.]*/*/{run_id}")), None)

    def listing(self) -> Listing:
        """Every landed run; a bundle or a folder of bundles that cannot be read is in `broken`.

        Raises:
            LandingZoneUnreachable: the remote does not answer, or the landing zone itself cannot be read.
        """
        return self._listed(lambda run: run)

    def _listed(self, as_needed: Callable[[Run], Run]) -> Listing:
        folders, unreadable = self.folders()
        here = _read(folders, as_needed)
        return Listing(here.runs, (*here.broken, *unreadable))

    def folders(self) -> tuple[list[Path], list[BrokenBundle]]:
        """The folders of landed bundles, which are not opened, and what cannot be listed.

        Raises:
            LandingZoneUnreachable: the remote does not answer, or the landing zone itself cannot be read.
        """
        broken = [] if self.remote is None else self._fetch(self.remote)
        paths, unreadable = _bundle_folders(self.root)
        return [*paths, *self.cold_folders()], [*unreadable, *broken]

    def records(self) -> Listing:
        """As `listing`, but of each record what planning reads (`short.py`); of a remote only records come.

        Bundles that wait here to be sent are included, so that they are not measured again.

        Raises:
            LandingZoneUnreachable: the remote does not answer.
        """
        short = Shortener().short
        if self.remote is None:
            return self._listed(short)
        paths = []
        for where in self.remote.bundles():
            landed, record = self._present(self.root / where), self.root / RECORDS / where
            if landed is None and not record.exists():
                with self.staging(record.name) as staged, disk_full_is_an_error(self.root):
                    self.remote.fetch(where, staged, only_record=True)
                    _move(staged, record)
            paths.append(landed or record)
        known = {path.name for path in paths}
        waiting = [path for path in sorted((self.root / OUTGOING).glob("*/*/*")) if path.name not in known]
        return _read([*paths, *waiting], short)

    def sweep_up(self) -> int:
        """Remove what killed processes left in the staging area; returns how many folders were removed."""
        removed = 0
        for path in (self.root / INCOMING).glob("*.*"):
            if _is_abandoned(path):
                shutil.rmtree(path, ignore_errors=True)
                removed += 1
        return removed

    def move_to_cold(self, folder: Path, storage: Remote) -> None:
        """Leave only the record and the checksums of a landed bundle here; the rest goes to cold storage.

        Nothing is removed before its copy was verified. If the move is killed, the next one continues it.

        Raises:
            BundleError: the bundle is damaged, or its copy cannot be verified; it stays here.
            LandingZoneUnreachable: the cold storage does not answer; the bundle stays here.
        """
        cold.copy_away(self.root, folder.relative_to(self.root).as_posix(), storage)
        trash = self.root / INCOMING / f"{folder.name}.{_HOST}.{os.getpid()}"
        trash.parent.mkdir(exist_ok=True)
        folder.rename(trash)
        sync(folder.parent)
        shutil.rmtree(trash)

    def _present(self, final: Path) -> Path | None:
        """Where the bundle of a final folder lies: there, or in cold storage; `None` if nowhere here."""
        in_cold = self.root / cold.COLD / final.relative_to(self.root)
        return next((path for path in (final, in_cold) if path.exists()), None)

    def cold_folders(self) -> list[Path]:
        """Folders of the bundles that are only in cold storage; a move that was killed leaves both."""
        below = self.root / cold.COLD
        return [below / where for where in self._only_cold()]

    def cold_run_ids(self) -> set[str]:
        """Runs of which the bundle is only in cold storage."""
        return {where.rpartition("/")[2] for where in self._only_cold()}

    def _only_cold(self) -> Iterator[str]:
        here = cold.cold_bundles(self.root)
        return (where for where in here if not exists(f"{self.root}/{where}"))  # noqa: PTH110

    def _outgoing(self, run: Run) -> Path:
        return self.root / OUTGOING / self.path_of(run).relative_to(self.root)

    def _fetch(self, remote: Remote) -> list[BrokenBundle]:
        """Fetch what others landed; a bundle that fails its checks is reported and fetched again later."""
        broken = []
        for where in remote.bundles():
            final = self.root / where
            if self._present(final):
                continue
            with self.staging(final.name) as staged, disk_full_is_an_error(self.root):
                remote.fetch(where, staged)
                try:
                    if self.path_of(bundle.verify(staged)) != final:
                        raise BundleError(f"{staged}: its record belongs in another folder")
                except BundleError as error:
                    reason = str(error).replace(str(staged), f"{remote.url}/{where}")
                    broken.append(BrokenBundle(final, reason))
                else:
                    _move(staged, final)
        return broken


_HOST = socket.gethostname()


def _is_abandoned(staging: Path) -> bool:
    """Whether the process that staged this has ended: on this host it is checked, on others after a week."""
    _, _, owner = staging.name.partition(".")
    host, _, pid = owner.rpartition(".")
    if host in ("", _HOST):
        return not pid.isdigit() or not Path(f"/proc/{pid}").exists()
    try:
        return time.time() - staging.stat().st_mtime > ABANDONED_SECONDS
    except FileNotFoundError:
        return False


def _bundle_folders(root: Path) -> tuple[list[Path], list[BrokenBundle]]:
    """Folders of bundles in their order, and folders above them that cannot be read.

    Raises:
        LandingZoneUnreachable: the landing zone itself cannot be read.
    """
    try:
        with bundle.readable(root):
            folders = [path for path in _inside(root) if not path.name.startswith(".")]
    except BundleError as error:
        raise LandingZoneUnreachable(f"landing zone {error}") from error
    broken = []
    for _ in ("month", "bundle"):
        deeper: list[Path] = []
        for folder in folders:
            try:
                with bundle.readable(folder):
                    deeper += _inside(folder)
            except BundleError as error:
                broken.append(BrokenBundle(folder, str(error)))
        folders = deeper
    return folders, broken


def _inside(folder: Path) -> list[Path]:
    """What is in a folder, in order; nothing where there is none, or a file."""
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _read(paths: list[Path], as_needed: Callable[[Run], Run]) -> Listing:
    runs: list[tuple[Run, Path]] = []
    broken: list[BrokenBundle] = []
    for path in paths:
        try:
            runs.append((as_needed(bundle.read_record(path)), path))
        except (BundleError, NotADirectoryError) as error:
            broken.append(BrokenBundle(path, str(error)))
    return Listing(tuple(runs), tuple(broken))


def _move(folder: Path, target: Path) -> None:
    """Rename a whole bundle into place; harmless when another process was faster."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.rename(target)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOENT):
            raise
        shutil.rmtree(folder, ignore_errors=True)
    sync(target.parent)
