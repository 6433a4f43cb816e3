"""State on disk: files that are replaced whole, links that are switched, locks that end with their holder.

A crash at any moment leaves the old state or the new one. What is written goes into a file beside its
own, is pushed to the disk, and is renamed. A lock is the kernel's (`flock`): it is released when the
process that holds it ends, however it ends.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import json
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from benchmark_tasks.errors import DiskFull, JouleboardError

LOCK_POLL_SECONDS = 0.1
_COPIED_BYTES = 1 << 20
PRIVATE = 0o600
"""Mode of a file that only its owner can read."""


def replace(path: Path, text: str, *, mode: int = 0o666, durable: bool = True) -> None:
    """Replace a small file: readers see the old text or the new.

    mode: permissions of the new file, less the process's umask; it has them from its creation on.
    durable: wait until it is on the disk. If false, a crash of the machine may lose it.

    Raises:
        DiskFull: nothing was changed.
    """
    replace_content(path, io.BytesIO(text.encode()), mode=mode, durable=durable)


def replace_content(path: Path, content: IO[bytes], *, mode: int = 0o666, durable: bool = True) -> None:
    """As `replace`, with the rest of an open file.

    Raises:
        DiskFull: nothing was changed.
    """
    with _written_beside(path, content, mode, durable) as beside:
        beside.replace(path)


def create(path: Path, text: str) -> bool:
    """Write a file unless it exists; returns whether it was written, also when two processes try at once.

    Raises:
        DiskFull: nothing was written.
    """
    with _written_beside(path, io.BytesIO(text.encode()), 0o666, True) as beside:
        try:
            os.link(beside, path)
        except FileExistsError:
            return False
        return True


def switch_link(link: Path, target: str) -> None:
    """Point a symbolic link at something else: readers resolve the old target or the new.

    Raises:
        DiskFull: the link is as it was.
    """
    beside = _beside(link)
    with disk_full_is_an_error(link.parent):
        beside.symlink_to(target)
        beside.replace(link)
        sync(link.parent)


def append_json(path: Path, entry: Mapping[str, Any]) -> None:
    """Add one line to an append-only journal and push it to the disk.

    Raises:
        DiskFull: the line may be torn; `read_journal` skips it then.
    """
    with disk_full_is_an_error(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            # A line torn by a crash must not swallow the next one.
            start = b"\n" if file.tell() and not _ends_with_newline(path) else b""
            file.write(start + json.dumps(entry).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


def read_journal(path: Path) -> list[dict[str, Any]]:
    """Every whole line of a journal; a line torn by a crash is skipped."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return []
    entries = []
    for line in lines:
        try:
            entries.append(json.loads(line))
        except ValueError:
            continue
    return [entry for entry in entries if isinstance(entry, dict)]


def lock(
    path: Path,
    *,
    busy: Callable[[str], JouleboardError] | None = None,
    wait_seconds: float = 0.0,
    note: str = "",
    waiting: Callable[[], None] = lambda: None,
) -> IO[str]:
    """Hold a lock file until the returned file is closed or the process ends; use it in a `with`.

    busy: makes the error to raise when another process holds the lock, from the holder's note. If
        `None`, wait without a limit.
    wait_seconds: how long to wait before that error; `waiting` is called once when the wait begins.
    note: who holds it, shown to other processes.

    Raises:
        JouleboardError: the error from `busy`.
        DiskFull: the file could not be created.
    """
    with disk_full_is_an_error(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+")
        try:
            _acquire(file, busy, time.monotonic() + wait_seconds, waiting)
            file.truncate(0)
            file.write(note)
            file.flush()
        except BaseException:
            file.close()
            raise
    return file


def keep_others_from_writing() -> None:
    """From now on only this account and its group may write what this process makes, whatever its umask."""
    before = os.umask(stat.S_IRWXG | stat.S_IRWXO)
    os.umask(before | stat.S_IWOTH)


def sync(path: Path) -> None:
    """Wait until a file, or the entries of a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    """Hex digest of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def disk_full_is_an_error(where: Path) -> Iterator[None]:
    """Turn ENOSPC into one line that says what to do.

    Raises:
        DiskFull: no space, or the quota is used up.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DiskFull(
            f"no space left under {where}: free some space or move JOULEBOARD_HOME; nothing was written"
        ) from error


@contextmanager
def _written_beside(path: Path, content: IO[bytes], mode: int, durable: bool) -> Iterator[Path]:
    """The content in a new file in the same folder, for the caller to move; then the folder is synced."""
    beside = _beside(path)
    with disk_full_is_an_error(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "wb") as file:
                shutil.copyfileobj(content, file, _COPIED_BYTES)
                file.flush()
                if durable:
                    os.fsync(descriptor)
            yield beside
        finally:
            beside.unlink(missing_ok=True)
        if durable:
            sync(path.parent)


def _beside(path: Path) -> Path:
    """A name that nobody else uses, hidden, in the same folder: a rename never crosses file systems."""
    return path.with_name(f".{path.name}.{uuid4().hex[:12]}.{os.getpid()}")


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _acquire(
    file: IO[str],
    busy: Callable[[str], JouleboardError] | None,
    deadline: float,
    waiting: Callable[[], None],
) -> None:
    if busy is None:
        return fcntl.flock(file, fcntl.LOCK_EX)
    announced = False
    while not _try(file):
        if time.monotonic() >= deadline:
            file.seek(0)
            raise busy(file.read().strip() or "another process")
        if not announced:
            waiting()
            announced = True
        time.sleep(LOCK_POLL_SECONDS)
    return None


def _try(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
