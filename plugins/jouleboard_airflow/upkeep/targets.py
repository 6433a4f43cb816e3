"""Where backups lie: one file, or a folder or object store that holds many and shares their content.

    objects/<2 digits>/<SHA-256>       the content of one file; never changed, sent once
    snapshots/<UTC time>-<digest>.json the list of a backup's files, written last; the digest is its own

A backup without its list does not exist, so one that was killed leaves only content that the next one uses.
A file is a ZIP archive of the same layout, written aside and renamed.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Any, Protocol
from uuid import uuid4

from benchmark_tasks import disk
from benchmark_tasks.errors import BackupError, BackupUnreachable
from benchmark_tasks.results import address
from benchmark_tasks.results.remote import connect, entries, one_line_errors

OBJECTS = "objects"
SNAPSHOTS = "snapshots"
SNAPSHOT_NAME = re.compile(r"\d{8}T\d{6}\.\d{6}Z-(?P<digest>[0-9a-f]{12})\.json")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_COMPRESSED = (".parquet", ".jpg", ".png", ".dump", ".gz")
_ENTRY_TIME = (2000, 1, 1, 0, 0, 0)


class Target(Protocol):
    """Holds backups."""

    def known(self) -> Mapping[str, int]:
        """Size of every content that is there already, by SHA-256."""

    def add(self, contents: Mapping[str, bytes]) -> None:
        """Store small contents by SHA-256."""

    def add_file(self, digest: str, source: Path) -> None:
        """Store a large file."""

    def finish(self, snapshot: bytes, name: str) -> None:
        """Write the list of the backup; from now on it exists."""

    def snapshots(self) -> list[str]:
        """Names of all backups, oldest first."""

    def snapshot(self, name: str) -> bytes:
        """The list of one backup."""

    def open(self, digest: str) -> AbstractContextManager[IO[bytes]]:
        """One content, to be read."""


def object_path(digest: str) -> str:
    """Where a content lies."""
    return f"{OBJECTS}/{digest[:2]}/{digest}"


def is_one_file(where: str) -> bool:
    """Whether a backup's address means a single file: no URL, and no folder that exists or ends in `/`."""
    return "://" not in where and not where.endswith("/") and not Path(where).is_dir()


def require_address(where: str) -> None:
    """Refuse what names neither a file nor a folder nor a store; asks nobody.

    Raises:
        BackupError: it does; says what to write.
    """
    if why := address.problem(where):
        raise BackupError(f"{where!r} names no place for backups: {why}")


@contextmanager
def writing(where: str) -> Iterator[Target]:
    """A target for one new backup. What is there and is no backup is never touched.

    Raises:
        BackupError: something else is there; nothing was written.
        BackupUnreachable: the store does not answer. DiskFull: nothing was written.
    """
    require_address(where)
    if not is_one_file(where):
        folder = ObjectFolder(where)
        folder.require_ours()
        yield folder
        return
    path = behind_links(where)
    _require_replaceable(path)
    for leftover in path.parent.glob(f".{path.name}.*.part"):
        if not Path(f"/proc/{leftover.name.split('.')[-2]}").exists():
            leftover.unlink(missing_ok=True)
    beside = path.with_name(f".{path.name}.{uuid4().hex[:12]}.{os.getpid()}.part")
    with disk.disk_full_is_an_error(path.parent), one_line_errors(f"the backup {path}", BackupUnreachable):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with os.fdopen(os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL, disk.PRIVATE), "w+b") as file:
                with zipfile.ZipFile(file, "w") as archive:
                    yield Archive(archive)
                file.flush()
                os.fsync(file.fileno())
            _require_replaceable(path)  # a backup takes minutes: something may have come meanwhile
            beside.replace(path)
            disk.sync(path.parent)
        finally:
            beside.unlink(missing_ok=True)


@contextmanager
def reading(where: str) -> Iterator[Target]:
    """The target that holds an existing backup.

    Raises:
        BackupError: there is none, or the file is damaged.
    """
    require_address(where)
    if not is_one_file(where):
        yield ObjectFolder(where)
        return
    if Path(where).exists() and not Path(where).is_file():
        raise BackupError(f"{where} is no regular file: name the file or folder of a backup")
    try:
        with zipfile.ZipFile(where) as archive:
            yield Archive(archive)
    except FileNotFoundError as error:
        raise BackupError(f"{where}: no such backup") from error
    except (zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise BackupError(f"{where}: damaged, or not a backup ({error}); use another one") from error


class Archive:
    """One backup in a ZIP file."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._known: dict[str, int] = {}

    def known(self) -> Mapping[str, int]:
        """What was added so far."""
        return self._known

    def add(self, contents: Mapping[str, bytes]) -> None:
        """Write small contents."""
        for digest, content in contents.items():
            self._archive.writestr(_entry(digest, ""), content, zipfile.ZIP_DEFLATED, 1)
            self._known[digest] = len(content)

    def add_file(self, digest: str, source: Path) -> None:
        """Write a large file."""
        entry = _entry(digest, source.suffix)
        entry.file_size = source.stat().st_size
        with source.open("rb") as file, self._archive.open(entry, "w") as into:
            shutil.copyfileobj(file, into, 1 << 20)
        self._known[digest] = source.stat().st_size

    def finish(self, snapshot: bytes, name: str) -> None:
        """Write the list last."""
        entry = zipfile.ZipInfo(f"{SNAPSHOTS}/{name}", _ENTRY_TIME)
        self._archive.writestr(entry, snapshot, zipfile.ZIP_DEFLATED)

    def snapshots(self) -> list[str]:
        """The one backup of the file."""
        names = self._archive.namelist()
        return [name.partition("/")[2] for name in names if name.startswith(f"{SNAPSHOTS}/")]

    def snapshot(self, name: str) -> bytes:
        """The list of the backup."""
        return self._archive.read(f"{SNAPSHOTS}/{name}")

    @contextmanager
    def open(self, digest: str) -> Iterator[IO[bytes]]:
        """One content; its checksum is compared while it is read."""
        try:
            with self._archive.open(object_path(digest)) as file:
                yield file
        except KeyError as error:
            raise BackupError(f"{self._archive.filename}: damaged, a part is missing; use another") from error


class ObjectFolder:
    """Many backups under a URL that fsspec knows, or in a folder."""

    def __init__(self, where: str) -> None:
        self.where = address.without_end(where)
        if "@" in self.where.partition("://")[2].partition("/")[0]:
            raise BackupError("the address contains credentials: set them in the environment instead")
        with self._one_line_errors():
            self._files, root = connect(self.where, "the backup's address")
        self._root = root.rstrip("/")
        self._is_local = "file" in _protocols(self._files)

    def require_ours(self) -> None:
        """Refuse a place that holds something, and no backup nor the beginning of one. Writes nothing.

        Raises:
            BackupError: it does. BackupUnreachable: the store does not answer.
        """
        if self._is_local and Path(self._root).exists() and not Path(self._root).is_dir():
            raise BackupError(f"{self.where} is no folder: leave out the / at its end, or name a folder")
        with self._one_line_errors():
            names = entries(self._files, self._root)
        if not names or any(map(SNAPSHOT_NAME.fullmatch, self.snapshots())):
            return
        if not any(map(_DIGEST.fullmatch, self.known())):
            raise BackupError(
                f"{self.where} is not empty and holds no backup: name a new or an empty folder, or one of"
                " backups"
            )

    def known(self) -> Mapping[str, int]:
        """One listing of the store."""
        with self._one_line_errors():
            self._files.invalidate_cache()
            found = self._files.find(f"{self._root}/{OBJECTS}", detail=True)
        return {path.rpartition("/")[2]: int(entry["size"]) for path, entry in found.items()}

    def add(self, contents: Mapping[str, bytes]) -> None:
        """Send small contents, many at a time where the store can."""
        with self._one_line_errors():
            if self._is_local:
                for digest, content in contents.items():
                    self._write_local(object_path(digest), io.BytesIO(content))
            elif contents:
                paths = {
                    f"{self._root}/{object_path(digest)}": content for digest, content in contents.items()
                }
                self._files.pipe(paths)

    def add_file(self, digest: str, source: Path) -> None:
        """Send a large file."""
        with self._one_line_errors():
            if self._is_local:
                with source.open("rb") as file:
                    self._write_local(object_path(digest), file)
            else:
                self._files.put_file(str(source), f"{self._root}/{object_path(digest)}")

    def finish(self, snapshot: bytes, name: str) -> None:
        """Send the list."""
        with self._one_line_errors():
            if self._is_local:
                os.sync()  # all content is on the disk before the list that names it
                self._write_local(f"{SNAPSHOTS}/{name}", io.BytesIO(snapshot))
                os.sync()
            else:
                self._files.pipe({f"{self._root}/{SNAPSHOTS}/{name}": snapshot})

    def snapshots(self) -> list[str]:
        """By time."""
        with self._one_line_errors():
            self._files.invalidate_cache()
            paths = self._files.find(f"{self._root}/{SNAPSHOTS}")
        names = (path.rpartition("/")[2] for path in paths)
        return sorted(name for name in names if name.endswith(".json") and not name.startswith("."))

    def snapshot(self, name: str) -> bytes:
        """The list of one backup."""
        with self._one_line_errors():
            return bytes(self._files.cat_file(f"{self._root}/{SNAPSHOTS}/{name}"))

    @contextmanager
    def open(self, digest: str) -> Iterator[IO[bytes]]:
        """One content."""
        try:
            with (
                self._one_line_errors(),
                self._files.open(f"{self._root}/{object_path(digest)}", "rb") as file,
            ):
                yield file
        except BackupUnreachable as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise BackupError(f"{self.where}: damaged, a part is missing; use another backup") from error
            raise

    def _write_local(self, path: str, content: IO[bytes]) -> None:
        """A file that is there is whole; `finish` waits until all are on the disk."""
        disk.replace_content(Path(self._root) / path, content, mode=disk.PRIVATE, durable=False)

    def _one_line_errors(self) -> AbstractContextManager[None]:
        return one_line_errors(f"the backup {self.where}", BackupUnreachable)


def digest_of(content: bytes) -> str:
    """SHA-256 in hex digits."""
    return hashlib.sha256(content).hexdigest()


def behind_links(where: str) -> Path:
    """The file or folder itself, so that a link to a backup stays a link.

    Raises:
        BackupError: its links lead nowhere.
    """
    try:
        return Path(where).resolve()
    except (OSError, RuntimeError) as error:  # links in a circle
        raise BackupError(f"{where}: its links cannot be followed: choose another name") from error


def _require_replaceable(path: Path) -> None:
    """Refuse to write where anything but a backup is.

    Raises:
        BackupError: something else is there.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except NotADirectoryError as error:
        raise BackupError(f"{path} lies below a file: choose another place") from error
    if not stat.S_ISREG(mode):
        raise BackupError(f"{path} is no regular file, and is not replaced: choose another name")
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, EOFError, zlib.error, ValueError):
        names = []
    starts = (name.partition("/") for name in names)
    if not any(start == SNAPSHOTS and SNAPSHOT_NAME.fullmatch(rest) for start, _, rest in starts):
        raise BackupError(
            f"{path} exists and is no whole backup, so it is not replaced: choose another name, or remove it"
        )


def _protocols(files: Any) -> tuple[str, ...]:
    return (files.protocol,) if isinstance(files.protocol, str) else tuple(files.protocol)


def _entry(digest: str, suffix: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(object_path(digest), _ENTRY_TIME)
    entry.external_attr = disk.PRIVATE << 16
    entry.compress_type = zipfile.ZIP_STORED if suffix in _COMPRESSED else zipfile.ZIP_DEFLATED
    return entry
