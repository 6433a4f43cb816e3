"""The list of a backup: every file with its hash and mode, every link, and what to know for restoring it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import Field, ValidationError, field_validator

from benchmark_tasks.errors import BackupError
from benchmark_tasks.results.record import Record
from jouleboard_airflow.upkeep.targets import SNAPSHOT_NAME, Target, digest_of

FORMAT = 1
LINK_TARGET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""Of links only those to a neighbour are kept."""

RECORDED_SETTINGS = (
    "JOULEBOARD_RAW",
    "JOULEBOARD_FLEET",
    "JOULEBOARD_PORT",
    "JOULEBOARD_SCHEDULES",
    "JOULEBOARD_DEADLINE_HOURS",
    "JOULEBOARD_DATABASE_FOLDER",
    "JOULEBOARD_DUCKDB_MEMORY",
    "JOULEBOARD_DATA_SETS",
    "JOULEBOARD_RUNTIME_PYTHON",
    "JOULEBOARD_RUNTIME_PYTHONPATH",
    "HF_HUB_OFFLINE",
)
"""Variables whose values a backup records, so that they can be set again. None of them holds a secret."""
_FLOOR = re.compile(r"JOULEBOARD_[A-Z0-9_]+_FLOOR")


def recorded_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Values of `RECORDED_SETTINGS`, and of the variables that name the oldest release of a project."""
    return {
        name: value
        for name, value in sorted(environment.items())
        if value and (name in RECORDED_SETTINGS or _FLOOR.fullmatch(name))
    }


class File(Record):
    """One file. `mode`: its permissions."""

    path: str
    mode: Annotated[int, Field(ge=0, le=0o777)]
    bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

    @field_validator("path")
    @classmethod
    def _inside(cls, path: str) -> str:
        return _safe(path)


class Link(Record):
    """One link to a neighbour, for example `published/current`."""

    path: str
    target: Annotated[str, Field(pattern=LINK_TARGET.pattern + "$")]

    @field_validator("path")
    @classmethod
    def _inside(cls, path: str) -> str:
        return _safe(path)


class Folder(Record):
    """One empty folder: a bundle without files is a broken one, and stays one."""

    path: str
    mode: Annotated[int, Field(ge=0, le=0o777)]

    @field_validator("path")
    @classmethod
    def _inside(cls, path: str) -> str:
        return _safe(path)


class Snapshot(Record):
    """One backup.

    jouleboard: version of the program. settings: environment variables to set again. has_secrets: whether it
    has Airflow's keys and login. history: what it has of Airflow's history, in words. cold: address of the
    cold storage that holds the large files of old runs, which are not in the backup.
    """

    format: int = FORMAT
    made_at: datetime
    jouleboard: str
    settings: Mapping[str, str]
    has_secrets: bool
    history: str
    cold: str | None = None
    files: tuple[File, ...]
    links: tuple[Link, ...]
    folders: tuple[Folder, ...] = ()

    @property
    def total_bytes(self) -> int:
        """Of all files."""
        return sum(file.bytes for file in self.files)

    def encoded(self) -> bytes:
        """As it is stored."""
        return json.dumps(self.model_dump(mode="json"), separators=(",", ":")).encode() + b"\n"

    @property
    def name(self) -> str:
        """Name of the stored file: when it was made, and the digest of its content."""
        at = self.made_at.astimezone(UTC)
        return f"{at:%Y%m%dT%H%M%S}.{at:%f}Z-{digest_of(self.encoded())[:12]}.json"


def read(target: Target, where: str, chosen: str | None = None) -> Snapshot:
    """The newest backup, or a chosen one by the beginning of its name.

    Raises:
        BackupError: there is none, or it is damaged or of a newer version.
    """
    names = [name for name in target.snapshots() if name.startswith(chosen or "")]
    if not names:
        what = f"no backup {chosen!r}" if chosen else "no backup"
        raise BackupError(f"{where}: {what} here; `jouleboard backup {where}` makes one")
    content, match = target.snapshot(names[-1]), SNAPSHOT_NAME.fullmatch(names[-1])
    if match is None or not digest_of(content).startswith(match["digest"]):
        raise BackupError(f"{where}: the list {names[-1]} is damaged; choose an earlier backup with --at")
    try:
        if json.loads(content)["format"] != FORMAT:
            raise BackupError(f"{where}: made by a newer version of jouleboard; restore it with that version")
        return Snapshot.model_validate_json(content)
    except (ValidationError, ValueError, KeyError, TypeError) as error:
        raise BackupError(f"{where}: the list {names[-1]} is not one of a backup; use another") from error


def _safe(path: str) -> str:
    """Refuse paths that lead out of the folder that a backup is restored into."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\0" in path or str(PurePosixPath(path)) != path:
        raise ValueError(f"not a path inside a home: {path!r}")
    return path
