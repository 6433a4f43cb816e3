"""Writing so that a crash leaves the old file or the new one, and locks that die with their holder."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmark_tasks.errors import PublisherBusy
from benchmark_tasks.results.store import disk_full_is_an_error, sync

LOCK_POLL_SECONDS = 0.1


def sha256(path: Path) -> str:
    """Hex digest of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomically(path: Path, text: str) -> None:
    """Replace a small file: readers see the old text or the new."""
    with disk_full_is_an_error(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            aside.write_text(text)
            sync(aside)
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
        sync(path.parent)


def append_json(path: Path, entry: dict[str, Any]) -> None:
    """Add one line to an append-only journal and push it to the disk."""
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


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


@contextmanager
def only_one(lock: Path, what: str, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold a lock file; the kernel lets go of it when the process dies, however it dies.

    wait_seconds: how long to wait for another holder before giving up.

    Raises:
        PublisherBusy: another process holds it; says which and since when.
    """
    with disk_full_is_an_error(lock.parent):
        lock.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _acquire(descriptor, what, time.monotonic() + wait_seconds)
        with disk_full_is_an_error(lock.parent):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"process {os.getpid()} since {datetime.now(UTC):%F %T} UTC".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, what: str, deadline: float) -> None:
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() < deadline:
                time.sleep(LOCK_POLL_SECONDS)
                continue
            holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "another process"
            raise PublisherBusy(f"{what} is already under way ({holder}); try again when it ends") from error
