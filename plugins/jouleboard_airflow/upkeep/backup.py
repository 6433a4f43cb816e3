"""A backup, step by step: Airflow's history, publications, decisions and logs, landed runs; the list last.

The order keeps a backup that is made while the platform works consistent: what comes later may hold more
than what came earlier, never less. A publication in it never lacks a run, and a task that Airflow counts as
done never lacks what it landed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from benchmark_tasks import __version__, disk
from benchmark_tasks.errors import BackupError
from benchmark_tasks.results import cold
from benchmark_tasks.settings import Settings
from expectations import publications
from jouleboard_airflow.platform.installation import Installation
from jouleboard_airflow.upkeep import contents, history, snapshot, targets
from jouleboard_airflow.upkeep.contents import Item
from jouleboard_airflow.upkeep.snapshot import LINK_TARGET, File, Folder, Link, Snapshot, recorded_settings
from jouleboard_airflow.upkeep.targets import Target, digest_of

LOCK_FILE = ".upkeep.lock"
LARGE_BYTES = 16 << 20
"""A larger file is not read into memory."""

_BATCH_BYTES = 64 << 20
_LOCK_SECONDS = 60.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Result:
    """What a backup holds, and what of it was new. unread: files that could not be read."""

    where: str
    name: str
    files: int
    bytes: int
    sent_files: int
    sent_bytes: int
    history: str
    has_secrets: bool
    unread: tuple[str, ...]


def backup(
    installation: Installation,
    where: str,
    *,
    with_secrets: bool = True,
    say: Say = lambda line: None,
    environment: Mapping[str, str] = os.environ,
) -> Result:
    """Back up an installation into a file, or into a folder or object store that shares earlier content.

    Raises:
        BackupError: a part cannot be backed up, or the address cannot be used. DiskFull.
        PublisherBusy: housekeeping, another backup or a publication is running.
    """
    targets.require_address(where)
    settings = installation.settings
    if not contents.present(settings):
        raise BackupError(f"nothing to back up in {settings.home}: is JOULEBOARD_HOME right?")
    _require_elsewhere(where, settings.home)
    with exclusive(installation), targets.writing(where) as target, tempfile.TemporaryDirectory() as scratch:
        writer = Writer(target, Path(scratch))
        say("Airflow's history")
        dumped = Path(scratch) / "history.dump"
        has = history.dump(installation, dumped, environment)
        if dumped.exists():
            writer.add([Item(dumped, contents.HISTORY)], mode=disk.PRIVATE)
        say("publications")
        writer.add(contents.published(settings, _freeze_publications(settings, writer)))
        say("decisions, catalog, imports and logs")
        kept = list(contents.kept(settings))
        secret = {item for item in kept if item.is_secret}
        writer.add(item for item in kept if with_secrets or item not in secret)
        say("landed runs")
        writer.add(contents.runs(settings))
        writer.flush()
        made = Snapshot(
            made_at=datetime.now(UTC),
            jouleboard=__version__,
            settings=recorded_settings(environment),
            has_secrets=with_secrets and bool(secret),
            history=has,
            cold=cold.address(settings.raw),
            files=tuple(writer.files.values()),
            links=tuple(writer.links.values()),
            folders=tuple(writer.folders.values()),
        )
        target.finish(made.encoded(), made.name)
    return Result(
        where,
        made.name.removesuffix(".json"),
        len(made.files),
        made.total_bytes,
        writer.sent_files,
        writer.sent_bytes,
        has,
        made.has_secrets,
        tuple(writer.unread),
    )


def verify(where: str, chosen: str | None = None) -> Snapshot:
    """Read every file of a backup, and compare it with the list.

    Raises:
        BackupError: it is damaged; names the first file.
    """
    with targets.reading(where) as target:
        listed = snapshot.read(target, where, chosen)
        checked: set[str] = set()
        for file in listed.files:
            if file.sha256 not in checked:
                with open_checked(target, where, file) as content:
                    while content.read(1 << 20):
                        pass
            checked.add(file.sha256)
        return listed


@contextmanager
def open_checked(target: Target, where: str, file: File) -> Iterator[Reader]:
    """The content of a file, to be read to its end; then its hash is compared.

    Raises:
        BackupError: it is missing or changed.
    """
    damaged = f"{where}: damaged, {file.path} is not as it was backed up; use another backup"
    try:
        with target.open(file.sha256) as content:
            reader = Reader(content)
            yield reader
            if reader.digest() != file.sha256:
                raise BackupError(damaged)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise BackupError(damaged) from error


@contextmanager
def exclusive(installation: Installation) -> Iterator[None]:
    """Let only one backup, restore or housekeeping of an installation run at a time.

    Raises:
        PublisherBusy: another one runs.
    """
    home = installation.settings.home
    with publications.hold_lock(home / LOCK_FILE, "a backup, restore or housekeeping"):
        yield


@dataclass
class Writer:
    """Stores files by their content, and lists them."""

    target: Target
    scratch: Path
    files: dict[str, File] = field(default_factory=dict)
    links: dict[str, Link] = field(default_factory=dict)
    folders: dict[str, Folder] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    sent_files: int = 0
    sent_bytes: int = 0
    _known: dict[str, int] = field(default_factory=dict)
    _waiting: dict[str, bytes] = field(default_factory=dict)
    _waiting_bytes: int = 0

    def __post_init__(self) -> None:
        self._known = dict(self.target.known())

    def add(self, items: Iterable[Item], mode: int | None = None) -> None:
        """Store files and links. What vanishes meanwhile is left out; what cannot be read is noted."""
        for item in items:
            try:
                self._add(item, mode)
            except FileNotFoundError:
                continue
            except PermissionError:
                self.unread.append(item.path)

    def add_bytes(self, path: str, content: bytes, mode: int) -> None:
        """Store a small file that was read already."""
        digest = digest_of(content)
        if not self._is_known(digest, len(content)):
            self._waiting[digest] = content
            self._waiting_bytes += len(content)
            self._sent(digest, len(content))
            if self._waiting_bytes > _BATCH_BYTES:
                self.flush()
        self.files[path] = File(path=path, mode=mode, bytes=len(content), sha256=digest)

    def flush(self) -> None:
        """Send what waits."""
        waiting, self._waiting, self._waiting_bytes = self._waiting, {}, 0
        self.target.add(waiting)

    def _add(self, item: Item, mode: int | None) -> None:
        status = item.source.lstat()
        if stat.S_ISLNK(status.st_mode):
            target = str(item.source.readlink())
            if LINK_TARGET.fullmatch(target):
                self.links[item.path] = Link(path=item.path, target=target)
            return
        if stat.S_ISDIR(status.st_mode):
            if not any(item.source.iterdir()):
                self.folders[item.path] = Folder(path=item.path, mode=stat.S_IMODE(status.st_mode) & 0o777)
            return
        mode = stat.S_IMODE(status.st_mode) & 0o777 if mode is None else mode
        if status.st_size <= LARGE_BYTES:
            self.add_bytes(item.path, item.source.read_bytes(), mode)
            return
        digest, size = disk.sha256(item.source), status.st_size
        if not self._is_known(digest, size):
            copy = self.scratch / "large"  # what is sent must be what was hashed
            shutil.copyfile(item.source, copy)
            digest, size = disk.sha256(copy), copy.stat().st_size
            self.target.add_file(digest, copy.rename(copy.with_suffix(item.source.suffix)))
            self._sent(digest, size)
        self.files[item.path] = File(path=item.path, mode=mode, bytes=size, sha256=digest)

    def _is_known(self, digest: str, size: int) -> bool:
        return self._known.get(digest) == size

    def _sent(self, digest: str, size: int) -> None:
        self._known[digest] = size
        self.sent_files += 1
        self.sent_bytes += size


def _freeze_publications(settings: Settings, writer: Writer) -> frozenset[str]:
    """Back up the journal and the link of one moment; returns the names of all else of that moment."""
    folder = settings.published
    if not folder.is_dir():
        return frozenset()
    at_once = {publications.EVENTS_FILE, publications.CURRENT}
    with publications.publishing(settings, _LOCK_SECONDS):
        names = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
        writer.add(contents.published(settings, frozenset(names & at_once)))
    return frozenset(names - at_once)


class Reader:
    """Reads a file of a backup, and hashes what it reads."""

    def __init__(self, content: IO[bytes]) -> None:
        self._content = content
        self._hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Read, and hash."""
        chunk = self._content.read(size)
        self._hash.update(chunk)
        return chunk

    def digest(self) -> str:
        """Of what was read."""
        return self._hash.hexdigest()


def _require_elsewhere(where: str, home: Path) -> None:
    """A backup inside the home would be part of the next one, and is lost with it."""
    if "://" in where and not where.startswith("file:"):
        return
    path = targets.behind_links(where.removeprefix("file://"))
    if path == home.resolve() or home.resolve() in path.parents:
        raise BackupError(f"{where} lies in JOULEBOARD_HOME ({home}): choose another place")
