"""Publications: numbered, immutable, verifiable; `current` is switched in one atomic step.

published/
    <n>/leaderboard.duckdb  parquet/<mart>.parquet  site/...  manifest.json  [SIGNATURE]
    current -> <n>
    events.jsonl            published, rolled back, left behind, refused; append-only
    .lock  .incoming/       for publishers only
    .left_behind/           damaged publications that `repair` moved away

A publisher writes into `.incoming`, waits until every file is on the disk, renames the folder to its
number, then replaces the link. Folders and files have modes of their own, whatever the umask: everybody may
read them, only the owner may write. If it is killed at any point, the state is the old one or the new one;
the next publisher removes what is left in `.incoming`. Readers resolve `current` once and keep that folder.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from benchmark_tasks import disk, signing
from benchmark_tasks.disk import (
    append_json,
    disk_full_is_an_error,
    read_journal,
    sha256,
    switch_link,
    sync,
)
from benchmark_tasks.errors import PublicationError, PublisherBusy, SignatureError, one_line
from benchmark_tasks.settings import Settings
from benchmark_tasks.signing import require_signer
from expectations.publications.marts import DATABASE_FILE, PARQUET_FOLDER

log = logging.getLogger("jouleboard.publications")

SITE_FOLDER = "site"
MANIFEST_FILE = "manifest.json"
CURRENT = "current"
INCOMING = ".incoming"
EVENTS_FILE = "events.jsonl"
MANIFEST_VERSION = 1
REPAIR = "`jouleboard publications repair` leaves it behind, after which a refresh works again"

_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
_FOLDER_MODE, _FILE_MODE = 0o755, 0o444
_NEEDED = {
    "number": int,
    "published_at": str,
    "files": dict,
    "tables": dict,
    "summary": dict,
    "history": list,
    "runs": dict,
    "gate": dict,
}
"""What every manifest has."""

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
    def published_at(self) -> datetime:
        """When it was published."""
        return datetime.fromisoformat(self.manifest["published_at"])

    @property
    def rows(self) -> dict[str, int]:
        """Row count by mart."""
        return {name: table["rows"] for name, table in self.manifest["tables"].items()}


def all_publications(settings: Settings) -> tuple[Publication, ...]:
    """Every publication whose manifest can be read, oldest first."""
    return tuple(item for item in _each(settings).values() if isinstance(item, Publication))


def unreadable(settings: Settings) -> dict[int, str]:
    """Publications whose manifest cannot be read: why, by number."""
    return {number: str(item) for number, item in _each(settings).items() if isinstance(item, Exception)}


def current(settings: Settings) -> Publication | None:
    """The publication that readers get; `None` before the first one.

    Raises:
        PublicationError: the link leads nowhere, or the publication is damaged.
    """
    if problem := link_problem(settings.published):
        raise PublicationError(f"{problem}; {REPAIR}")
    number = current_number(settings.published)
    return None if number is None else read(settings, number)


def link_problem(published: Path) -> str | None:
    """What is wrong with the link to the current publication; `None` if it leads to one, or is not there."""
    link = published / CURRENT
    if not os.path.lexists(link):
        return None
    if not link.is_symlink():
        return f"{link} is not a link to a publication"
    target = str(link.readlink())
    number = current_number(published)
    if number is None or link.parent.resolve() / str(number) != (link.parent / target).resolve():
        return f"{link} leads to {target!r}, which is not a publication"
    return None if (published / str(number)).is_dir() else f"{link} leads to {number}, which is gone"


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
    here = numbers(settings.published)
    return read(settings, here[-1]) if here else None


def read(settings: Settings, number: int) -> Publication:
    """One publication by number.

    Raises:
        PublicationError: there is none of that number, or its manifest cannot be read.
    """
    path, here = settings.published / str(int(number)), numbers(settings.published)
    if number not in here:
        have = ", ".join(map(str, here)) or "none"
        raise PublicationError(f"no publication {number}; there are: {have}")
    try:
        return _of_folder(path, number)
    except PublicationError as error:
        raise PublicationError(f"{error}; {REPAIR}") from error


def read_folder(path: Path) -> Publication:
    """A publication that lies anywhere, for example a copy.

    Raises:
        PublicationError: its manifest cannot be read.
    """
    return _of_folder(path, None)


def _of_folder(path: Path, number: int | None) -> Publication:
    try:
        manifest = json.loads((path / MANIFEST_FILE).read_bytes())
        _require_form(manifest, number)
    except (OSError, ValueError, RecursionError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or one_line(error)
        raise PublicationError(f"{path / MANIFEST_FILE}: damaged ({why})") from error
    return Publication(manifest["number"], path, manifest)


def _each(settings: Settings) -> dict[int, Publication | PublicationError]:
    """Every publication by number, or why it cannot be read."""
    found: dict[int, Publication | PublicationError] = {}
    for number in numbers(settings.published):
        try:
            found[number] = read(settings, number)
        except PublicationError as error:
            found[number] = error
    return found


def _require_form(manifest: Any, number: int | None) -> None:
    """Raise ValueError for what is not the manifest of that publication; `None`: of any."""
    if not isinstance(manifest, dict):
        raise ValueError("not an object")
    for name, kind in _NEEDED.items():
        if not isinstance(manifest.get(name), kind):
            raise ValueError(f"no {name} of the right form")
    if number is not None and manifest["number"] != number:
        raise ValueError(f"its number is {manifest['number']}")
    entries = (*manifest["files"].values(), *manifest["tables"].values(), *manifest["history"])
    if not all(isinstance(entry, dict) for entry in entries):
        raise ValueError("its files, tables or history have another form")
    if not all(isinstance(table.get("rows"), int) for table in manifest["tables"].values()):
        raise ValueError("a table without its number of rows")
    if datetime.fromisoformat(manifest["published_at"]).tzinfo is None:
        raise ValueError("published_at without a time zone")


def current_number(published: Path) -> int | None:
    """The number that `current` points to; `None` without a link."""
    try:
        target = (published / CURRENT).readlink().name
    except OSError:
        return None
    return int(target) if _NUMBER.fullmatch(target) else None


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
    here = numbers(settings.published)
    is_new = here and here[-1] not in _published_numbers(settings.published)
    if is_new and _is_whole(settings, here[-1]):
        switch(settings, here[-1], "published", completed_later=True)


def next_number(settings: Settings) -> int:
    """The next unused number; numbers of publications that were removed are not used again."""
    used = [int(event["number"]) for event in events(settings) if isinstance(event.get("number"), int)]
    number = max([0, *used, *numbers(settings.published)]) + 1
    while os.path.lexists(settings.published / str(number)):
        number += 1
    return number


def publish(settings: Settings, number: int, folder: Path, manifest: dict[str, Any]) -> Publication:
    """Seal a prepared folder (under `.incoming`) as publication `number` and switch to it.

    The caller holds the lock (`publishing`).
    """
    signer = require_signer(settings, log.warning)
    with disk_full_is_an_error(settings.published):
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        manifest = {
            "manifest_version": MANIFEST_VERSION,
            "number": number,
            **manifest,
            "signed_by": signer and signer.public_key,
            "files": {
                str(path.relative_to(folder)): {"sha256": sha256(path), "bytes": path.stat().st_size}
                for path in files
            },
        }
        (folder / MANIFEST_FILE).write_text(json.dumps(manifest, indent=1) + "\n")
        if signer is not None:
            signer.sign(folder / MANIFEST_FILE)
        _seal(folder)
        _open_to_readers(settings)
        final = settings.published / str(number)
        folder.rename(final)
        sync(settings.published)
    switch(settings, number, "published")
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
            switch(settings, number, "rolled back", left=current_number(settings.published))
        return publication


def verify(settings: Settings, publication: Publication) -> list[str]:
    """As `differences`; the manifest is compared with the journal, too."""
    number = publication.number
    recorded = [
        event.get("manifest_sha256")
        for event in events(settings)
        if event.get("event") == "published" and event.get("number") == number
    ]
    damage = differences(publication)
    if recorded and _digest(publication.path / MANIFEST_FILE) != recorded[-1]:
        damage.append(f"{number}/{MANIFEST_FILE}: changed since it was published")
    return damage


def differences(publication: Publication) -> list[str]:
    """Compare every file with the manifest, and the manifest with its signature; returns what differs.

    Files of others, such as those that a reader's DuckDB left, are no difference, unless a reader would take
    them for ours. Whether the key that signed is trusted is not asked here.
    """
    damage = _signature_problems(publication)
    expected, number = publication.manifest["files"], publication.number
    present = _files(publication.path)
    taken_for_ours = {name for name in present - expected.keys() if _is_taken_for_ours(name)}
    for name in sorted(expected.keys() | taken_for_ours):
        if name not in present:
            damage.append(f"{number}/{name}: missing")
        elif name not in expected:
            damage.append(f"{number}/{name}: not in the manifest")
        elif (digest := _digest(publication.path / name)) != expected[name].get("sha256"):
            damage.append(f"{number}/{name}: {digest if ' ' in digest else 'changed since it was published'}")
    return damage


def _signature_problems(publication: Publication) -> list[str]:
    """What is wrong with the signature of the manifest, which says who signed it."""
    number, expected = publication.number, publication.manifest.get("signed_by")
    try:
        found = signing.check(publication.path / MANIFEST_FILE)
    except SignatureError as error:
        return [f"{number}: {error}".replace(f"{publication.path}/", "")]
    if found == expected:
        return []
    if found is None:
        return [f"{number}/{signing.SIGNATURE_FILE}: missing; the manifest says that it was signed"]
    return [f"{number}/{signing.SIGNATURE_FILE}: of another key than the manifest says"]


def foreign(publication: Publication) -> list[str]:
    """Files in a publication's folder that are not part of it."""
    return sorted(
        _files(publication.path)
        - publication.manifest["files"].keys()
        - {MANIFEST_FILE, signing.SIGNATURE_FILE}
    )


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def _is_taken_for_ours(name: str) -> bool:
    """DuckDB replays a log beside a database; people read all Parquet files of the folder at once."""
    in_parquet = name.startswith(f"{PARQUET_FOLDER}/") and name.endswith(".parquet")
    return in_parquet or name == f"{DATABASE_FILE}.wal"


def _digest(path: Path) -> str:
    """SHA-256 of a file, or why it cannot be read now."""
    try:
        return sha256(path)
    except OSError as error:
        return f"cannot be read now ({error.strerror or error})"


def retirable(settings: Settings, kept: int = KEPT) -> list[Publication]:
    """Old publications that nothing needs.

    Kept are the newest `kept`, the last of each month, and the current one with the one that its changes are
    told against.
    """
    everything = all_publications(settings)
    last_of_month = {item.manifest["published_at"][:7]: item.number for item in everything}
    kept_numbers = {item.number for item in everything[-kept:]} | set(last_of_month.values())
    if now := current(settings):
        kept_numbers |= {now.number, *compared_with(now)}
    return [item for item in everything if item.number not in kept_numbers]


def retire(settings: Settings, kept: int = KEPT) -> list[int]:
    """Remove the publications that are `retirable`. The caller holds the lock (`publishing`)."""
    removed = retirable(settings, kept)
    for item in removed:
        trash = incoming_folder(settings, item.number).with_suffix(".retired")
        item.path.rename(trash)  # removed in one step; readers with open files keep them
        shutil.rmtree(trash, ignore_errors=True)
    return [item.number for item in removed]


def compared_with(publication: Publication) -> set[int]:
    """Numbers of the earlier publications that a publication tells its changes against."""
    import pyarrow.parquet as pq

    path = publication.path / PARQUET_FOLDER / "publication_changes.parquet"
    if not path.exists():
        return set()
    column = pq.read_table(path, columns=["previous_publication_number"])
    return {int(number) for number in column[0].to_pylist() if number is not None}


def history(settings: Settings) -> list[dict[str, Any]]:
    """One row per publication, oldest first, those that were removed included."""
    last = newest(settings)
    return [*last.manifest["history"], last.manifest["summary"]] if last else []


def incoming_folder(settings: Settings, number: int) -> Path:
    """Where a publication is prepared."""
    return settings.published / INCOMING / f"{number}.{os.getpid()}"


def switch(settings: Settings, number: int, event: str, **more: Any) -> None:
    """Point `current` at a publication, and record that in the journal. The caller holds the lock."""
    link = settings.published / CURRENT
    if link.is_dir() and not link.is_symlink():
        raise PublicationError(f"{link} is not a link to a publication; {REPAIR}")
    switch_link(link, str(number))
    entry = {"event": event, "number": number, "at": f"{datetime.now(UTC):%FT%TZ}"}
    digest = sha256(settings.published / str(number) / MANIFEST_FILE)
    record(settings, entry | {"manifest_sha256": digest} | more)


def record(settings: Settings, entry: Mapping[str, Any]) -> None:
    """Add an event to the journal, which everybody may read."""
    append_json(settings.published / EVENTS_FILE, entry)
    _set_mode(settings.published / EVENTS_FILE, 0o644)


def _seal(folder: Path) -> None:
    """Make every file read-only for everybody, and wait until files and folders are on the disk."""
    for path in sorted(folder.rglob("*"), reverse=True):
        path.chmod(_FILE_MODE if path.is_file() else _FOLDER_MODE)
        sync(path)
    folder.chmod(_FOLDER_MODE)
    sync(folder)


def _open_to_readers(settings: Settings) -> None:
    """Let everybody read what is published, and pass through the home, but not list it."""
    _set_mode(settings.published, _FOLDER_MODE)
    _set_mode(settings.home, settings.home.stat().st_mode & 0o7777 | 0o111)


def _set_mode(path: Path, mode: int) -> None:
    """Set the mode, unless it is set; a folder of another account keeps its own."""
    if path.stat().st_mode & 0o7777 != mode:
        with suppress(PermissionError):
            path.chmod(mode)


def _is_whole(settings: Settings, number: int) -> bool:
    try:
        return not verify(settings, read(settings, number))
    except PublicationError:
        return False


def _published_numbers(published: Path) -> set[int]:
    """Numbers of all publications that there ever were."""
    entries = read_journal(published / EVENTS_FILE)
    return {int(entry["number"]) for entry in entries if _is_publication(entry)}


def _is_publication(entry: Mapping[str, Any]) -> bool:
    return entry.get("event") == "published" and isinstance(entry.get("number"), int)


def numbers(published: Path) -> list[int]:
    """Numbers of the publications that are here; folders of others are left out."""
    if not published.is_dir():
        return []
    known = _published_numbers(published)
    folders = [path for path in published.iterdir() if _NUMBER.fullmatch(path.name) and path.is_dir()]
    ours = [path for path in folders if int(path.name) in known or os.path.lexists(path / MANIFEST_FILE)]
    return sorted(int(path.name) for path in ours)
