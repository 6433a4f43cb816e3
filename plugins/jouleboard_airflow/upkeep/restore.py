"""A restore, step by step: read aside, verify every file, put into place, load Airflow's history.

Nothing is put into place before everything is there and verified. Publications come first and landed runs
last: what a killed restore leaves is refused by the gate, never published. It is never mixed with what was
there: a home that holds anything is refused, or what it holds is put aside as a whole.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from benchmark_tasks import disk
from benchmark_tasks.errors import BackupError, JouleboardError
from benchmark_tasks.settings import Settings
from expectations import publications
from jouleboard_airflow.platform import components, database
from jouleboard_airflow.platform.installation import Installation
from jouleboard_airflow.upkeep import contents, history, snapshot, targets
from jouleboard_airflow.upkeep.backup import exclusive, open_checked
from jouleboard_airflow.upkeep.snapshot import Snapshot

STAGING = ".restoring"
ASIDE = ".replaced"
_ORDER = (contents.PUBLISHED, contents.AIRFLOW)
"""What is put into place first; landed runs come last."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Result:
    """What was restored. aside: where what was there before lies now, if there was anything."""

    restored: Snapshot
    aside: tuple[Path, ...]
    history: str


def restore(
    installation: Installation,
    where: str,
    *,
    chosen: str | None = None,
    replace: bool = False,
    say: Say = lambda line: None,
) -> Result:
    """Restore a backup into this installation's home.

    chosen: the beginning of a backup's name; by default the newest. replace: put aside what the home holds.

    Raises:
        BackupError: the backup is damaged, the home is not empty, or the platform runs. Nothing was changed.
        JouleboardError: Airflow's history could not be loaded; all else is restored.
        DiskFull: no space; nothing was changed.
    """
    settings = installation.settings
    with exclusive(installation), targets.reading(where) as target:
        listed = snapshot.read(target, where, chosen)
        _require_room(installation, replace)
        staging = settings.home / STAGING
        shutil.rmtree(staging, ignore_errors=True)
        try:
            say(f"reading {len(listed.files)} files, made {listed.made_at:%F %T} UTC")
            _stage(target, where, listed, staging)
            with publications.hold_lock(settings.warehouse / ".lock", "a refresh"):
                aside = _put_aside(installation)
                say("putting everything into place")
                _put_into_place(settings, staging)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return Result(listed, aside, _load_history(installation, listed, say))


def _require_room(installation: Installation, replace: bool) -> None:
    """Refuse a home that holds anything, unless it may be put aside, and a platform that runs."""
    home = installation.settings.home
    record = components.read_record(installation)
    runs = record is not None and record.running
    if runs or (history.has_own_database(installation) and database.answers(installation)):
        raise BackupError(f"the platform in {home} runs: `make down` first")
    present = contents.present(installation.settings)
    if present and not replace:
        names = ", ".join(path.name for path in present[:4]) + (", ..." if len(present) > 4 else "")
        raise BackupError(
            f"{home} is not empty ({names}): restore into an empty JOULEBOARD_HOME, "
            "or put aside what is there with --replace"
        )


def _stage(target: targets.Target, where: str, listed: Snapshot, staging: Path) -> None:
    """Write every file below a folder of the home, and compare its hash."""
    with disk.disk_full_is_an_error(staging.parent):
        for file in listed.files:
            path = staging / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, disk.PRIVATE)
            with os.fdopen(descriptor, "wb") as into, open_checked(target, where, file) as content:
                while chunk := content.read(1 << 20):
                    into.write(chunk)
            path.chmod(file.mode)
        for link in listed.links:
            path = staging / link.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(link.target)
        for folder in listed.folders:
            (staging / folder.path).mkdir(parents=True, exist_ok=True)
            (staging / folder.path).chmod(folder.mode)
        os.sync()


def _put_aside(installation: Installation) -> tuple[Path, ...]:
    """Move what the home holds into a hidden folder beside it, the database with it."""
    settings = installation.settings
    stamp = f"{ASIDE}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    moved: list[Path] = []
    if history.has_own_database(installation):
        folder = database.folder(installation)
        if not folder.is_relative_to(installation.home):
            moved.append(folder.rename(folder.with_name(f"{folder.name}{stamp}")))
    for path in contents.present(settings):
        inside = settings.home if path.parent == settings.home else path
        aside = inside / stamp / path.name
        _move_all(path, aside, but=stamp)
        if inside / stamp not in moved:
            moved.append(inside / stamp)
    return tuple(moved)


def _put_into_place(settings: Settings, staging: Path) -> None:
    names = sorted(
        (path.name for path in staging.iterdir()),
        key=lambda name: (name == contents.RAW, name not in _ORDER, name),
    )
    for name in names:
        final = settings.raw if name == contents.RAW else settings.home / name
        _move_all(staging / name, final)
    os.sync()


def _move_all(source: Path, target: Path, but: str = "") -> None:
    """Move a file or folder; into a folder that is there (it may be a mounted one) entry by entry."""
    if not target.exists() and _renamed(source, target):
        return
    if source.is_symlink() or not source.is_dir():
        _copy(source, target)
        source.unlink()
        return
    if not target.exists():
        target.mkdir(parents=True)
        target.chmod(source.stat().st_mode & 0o777)
    for entry in sorted(source.iterdir()):
        if entry.name == but or _renamed(entry, target / entry.name):
            continue
        if entry.is_dir() and not entry.is_symlink() and (target / entry.name).is_dir():
            _move_all(entry, target / entry.name)  # a restore that was killed left a part of it
        else:
            _copy(entry, target / entry.name)
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()


def _renamed(source: Path, target: Path) -> bool:
    """Whether a rename worked: it does not across file systems, and not with a mounted folder."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        source.rename(target)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EBUSY, errno.ENOTEMPTY, errno.EEXIST):
            raise
        return False
    return True


def _copy(source: Path, target: Path) -> None:
    """Copy across file systems, beside the target, and rename."""
    beside = target.with_name(f".{target.name}.{uuid4().hex[:12]}")
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, beside, symlinks=True)
    else:
        shutil.copy2(source, beside, follow_symlinks=False)
    beside.replace(target)


def _load_history(installation: Installation, listed: Snapshot, say: Say) -> str:
    """Load Airflow's history; its dump is removed when that is done."""
    dumped = installation.settings.home / contents.HISTORY
    if not dumped.exists():
        return listed.history
    say("loading Airflow's history")
    try:
        history.load(installation, dumped)
    except JouleboardError as error:
        raise JouleboardError(
            f"everything but Airflow's history is restored: {error}; its dump is kept in {dumped}"
        ) from error
    dumped.unlink()
    return "loaded"
