"""Publications: numbered, immutable, verifiable; `current` is switched in one atomic step.

published/
    <n>/leaderboard.duckdb  parquet/<mart>.parquet  site/...  manifest.json
    current -> <n>
    events.jsonl            published, rolled back, refused; append-only
    .lock  .incoming/       for publishers only

A publisher writes into `.incoming`, waits until every file is on the disk, renames the folder to its
number, then replaces the link. If it is killed at any point, the state is the old one or the new one; the
next publisher removes what is left in `.incoming`. Readers resolve `current` once and keep that folder.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from benchmark_tasks import disk
from benchmark_tasks.disk import (
    append_json,
    disk_full_is_an_error,
    read_journal,
    sha256,
    switch_link,
    sync,
)
from benchmark_tasks.errors import PublicationError, PublisherBusy
from benchmark_tasks.settings import Settings
from expectations.publications.marts import DATABASE_FILE

SITE_FOLDER = "site"
MANIFEST_FILE = "manifest.json"
CURRENT = "current"
INCOMING = ".incoming"
EVENTS_FILE = "events.jsonl"
MANIFEST_VERSION = 1

KEPT = 30
"""Publications kept by the retention rule, beside the current one and the last of each month."""


@dataclass(frozen=True)
class Publication:
    """One publication on disk."""

    number: int
    path: Path
    manifest: Mapping[str, Any]

    @property
    def database(self) -> Path:
        """The published marts; open read-only."""
        return self.path / DATABASE_FILE

    @property
    def rows(self) -> dict[str, int]:
        """Row count by mart."""
        return {name: table["rows"] for name, table in self.manifest["tables"].items()}


def all_publications(settings: Settings) -> tuple[Publication, ...]:
    """Every publication, oldest first."""
    return tuple(read(settings, number) for number in _numbers(settings.published))


def current(settings: Settings) -> Publication | None:
    """The publication that readers get; `None` before the first one."""
    number = current_number(settings.published)
    return None if number is None else read(settings, number)


def require_current(settings: Settings) -> Publication:
    """The publication that readers get.

    Raises:
        PublicationError: there is none yet.
    """
    published = current(settings)
    if published is None:
        raise PublicationError(f"nothing is published in {settings.home}; run `jouleboard refresh`")
    return published


def newest(settings: Settings) -> Publication | None:
    """The publication with the highest number, current or not."""
    numbers = _numbers(settings.published)
    return read(settings, numbers[-1]) if numbers else None


def read(settings: Settings, number: int) -> Publication:
    """One publication by number.

    Raises:
        PublicationError: there is none of that number, or its manifest cannot be read.
    """
    path = settings.published / str(int(number))
    try:
        manifest = json.loads((path / MANIFEST_FILE).read_bytes())
        if manifest["number"] != number:
            raise ValueError(f"its number is {manifest['number']}")
    except FileNotFoundError as error:
        have = ", ".join(map(str, _numbers(settings.published))) or "none"
        raise PublicationError(f"no publication {number}; there are: {have}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise PublicationError(
            f"{path / MANIFEST_FILE}: damaged ({error}); roll back to another publication"
        ) from error
    return Publication(number, path, manifest)


def current_number(published: Path) -> int | None:
    """The number that `current` points to; `None` without a link."""
    try:
        target = (published / CURRENT).readlink().name
    except OSError:
        return None
    return int(target) if target.isdigit() else None


def events(settings: Settings) -> list[dict[str, Any]]:
    """All events of publications, oldest first."""
    return read_journal(settings.published / EVENTS_FILE)


@contextmanager
def publishing(settings: Settings, wait_seconds: float = 0.0) -> Iterator[None]:
    """Take the publication lock, and remove what a killed publisher left.

    Waits up to `wait_seconds` for another process that holds the lock.

    Raises:
        PublisherBusy: another process publishes.
    """
    with hold_lock(settings.published / ".lock", "a publication or rollback", wait_seconds):
        recover(settings)
        yield


def hold_lock(lock_file: Path, what: str, wait_seconds: float = 0.0) -> IO[str]:
    """Hold a lock file as `disk.lock` does; the error of another process names the holder and since when.

    Raises:
        PublisherBusy: another process holds it.
    """
    return disk.lock(
        lock_file,
        busy=lambda holder: PublisherBusy(f"{what} is already running ({holder}); try again when it ends"),
        wait_seconds=wait_seconds,
        note=f"process {os.getpid()} since {datetime.now(UTC):%F %T} UTC",
    )


def recover(settings: Settings) -> None:
    """Remove what killed publishers left, and complete an interrupted switch. The caller holds the lock."""
    incoming = settings.published / INCOMING
    for leftover in incoming.glob("*") if incoming.is_dir() else ():
        shutil.rmtree(leftover, ignore_errors=True)
    for leftover in settings.published.glob(f".{CURRENT}.*"):
        leftover.unlink(missing_ok=True)
    numbers = _numbers(settings.published)
    known = {event.get("number") for event in events(settings) if event.get("event") == "published"}
    if numbers and numbers[-1] not in known:
        _switch(settings, numbers[-1], "published", completed_later=True)


def next_number(settings: Settings) -> int:
    """The next unused number; numbers of publications that were removed are not used again."""
    used = [int(event["number"]) for event in events(settings) if isinstance(event.get("number"), int)]
    return max([0, *used, *_numbers(settings.published)]) + 1


def publish(settings: Settings, number: int, folder: Path, manifest: dict[str, Any]) -> Publication:
    """Seal a prepared folder (under `.incoming`) as publication `number` and switch to it.

    The caller holds the lock (`publishing`).
    """
    with disk_full_is_an_error(settings.published):
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        manifest = {
            "manifest_version": MANIFEST_VERSION,
            "number": number,
            **manifest,
            "files": {
                str(path.relative_to(folder)): {"sha256": sha256(path), "bytes": path.stat().st_size}
                for path in files
            },
        }
        (folder / MANIFEST_FILE).write_text(json.dumps(manifest, indent=1) + "\n")
        _seal(folder)
        final = settings.published / str(number)
        folder.rename(final)
        sync(settings.published)
    _switch(settings, number, "published")
    return read(settings, number)


def roll_back(settings: Settings, number: int) -> Publication:
    """Make another publication the current one, older or newer. Its files are verified first.

    Raises:
        PublicationError: there is no such publication, or it is damaged.
        PublisherBusy: another process publishes.
    """
    with publishing(settings):
        publication = read(settings, number)
        damage = verify(settings, publication)
        if damage:
            raise PublicationError(
                f"publication {number} is damaged, so it cannot become the current one: {damage[0]}"
            )
        if current_number(settings.published) != number:
            _switch(settings, number, "rolled back", left=current_number(settings.published))
        return publication


def verify(settings: Settings, publication: Publication) -> list[str]:
    """Compare every file with the manifest, and the manifest with the journal; returns the differences."""
    damage = []
    expected = publication.manifest.get("files", {})
    present = {
        str(path.relative_to(publication.path)) for path in publication.path.rglob("*") if path.is_file()
    }
    for name in sorted(expected.keys() | present - {MANIFEST_FILE}):
        if name not in present:
            damage.append(f"{publication.number}/{name}: missing")
        elif name not in expected:
            damage.append(f"{publication.number}/{name}: not in the manifest")
        elif sha256(publication.path / name) != expected[name]["sha256"]:
            damage.append(f"{publication.number}/{name}: changed since it was published")
    recorded = [
        event.get("manifest_sha256")
        for event in events(settings)
        if event.get("event") == "published" and event.get("number") == publication.number
    ]
    if recorded and sha256(publication.path / MANIFEST_FILE) != recorded[-1]:
        damage.append(f"{publication.number}/{MANIFEST_FILE}: changed since it was published")
    return damage


def retire(settings: Settings, kept: int = KEPT) -> list[int]:
    """Remove old publications: all but the newest `kept`, the current one and the last of each month."""
    everything = all_publications(settings)
    last_of_month = {item.manifest["published_at"][:7]: item.number for item in everything}
    kept_numbers = {item.number for item in everything[-kept:]} | set(last_of_month.values())
    kept_numbers.add(current_number(settings.published) or 0)
    removed = [item for item in everything if item.number not in kept_numbers]
    for item in removed:
        trash = incoming_folder(settings, item.number).with_suffix(".retired")
        item.path.rename(trash)  # removed in one step; readers with open files keep them
        shutil.rmtree(trash, ignore_errors=True)
    return [item.number for item in removed]


def history(settings: Settings) -> list[dict[str, Any]]:
    """One row per publication, oldest first, those that were removed included."""
    last = newest(settings)
    return [*last.manifest["history"], last.manifest["summary"]] if last else []


def incoming_folder(settings: Settings, number: int) -> Path:
    """Where a publication is prepared."""
    return settings.published / INCOMING / f"{number}.{os.getpid()}"


def _switch(settings: Settings, number: int, event: str, **more: Any) -> None:
    """Point `current` at a publication, and record that in the journal."""
    switch_link(settings.published / CURRENT, str(number))
    entry = {
        "event": event,
        "number": number,
        "at": f"{datetime.now(UTC):%FT%TZ}",
        "manifest_sha256": sha256(settings.published / str(number) / MANIFEST_FILE),
    }
    append_json(settings.published / EVENTS_FILE, entry | more)


def _seal(folder: Path) -> None:
    """Make every file read-only and wait until files and folders are on the disk."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_file():
            path.chmod(0o444)
        sync(path)
    sync(folder)


def _numbers(published: Path) -> list[int]:
    if not published.is_dir():
        return []
    return sorted(int(path.name) for path in published.iterdir() if path.name.isdigit() and path.is_dir())
