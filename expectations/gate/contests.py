"""Changes of energy that a person contests: what reruns say stays, and is not shown without the objection.

No line is ever changed. A contest and its withdrawal are one line each in `contests/changes.jsonl`: who,
when, why.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmark_tasks.disk import append_json, read_journal
from benchmark_tasks.errors import PublicationError
from benchmark_tasks.settings import Settings

LONGEST_NOTE = 2000
"""Characters of a note."""

ChangeKey = tuple[str, str]
"""A change of energy: the leaderboard_id of the later release, and the version of the earlier one."""


@dataclass(frozen=True)
class Contest:
    """A person's objection to what reruns say about a change. withdrawn: it no longer counts.

    at: UTC, ISO 8601.
    """

    leaderboard_id: str
    previous_runtime_version: str
    note: str
    who: str
    at: str
    withdrawn: bool = False

    @property
    def key(self) -> ChangeKey:
        """The change that it is about."""
        return self.leaderboard_id, self.previous_runtime_version


def contests(settings: Settings) -> dict[ChangeKey, Contest]:
    """The contests that count, by their change; of several the latest."""
    fields = Contest.__dataclass_fields__.keys()
    entries = [entry for entry in read_journal(_journal(settings)) if fields <= entry.keys()]
    texts = [{name: str(entry[name]) for name in fields - {"withdrawn"}} for entry in entries]
    latest = {
        contest.key: contest
        for text, entry in zip(texts, entries, strict=True)
        if _is_moment((contest := Contest(**text, withdrawn=bool(entry["withdrawn"]))).at)
    }
    return {key: contest for key, contest in latest.items() if not contest.withdrawn}


def record(settings: Settings, key: ChangeKey, *, note: str, who: str, withdrawn: bool = False) -> Contest:
    """Record that a person contests a change, or no longer does; readers see it from the next refresh on.

    Raises:
        PublicationError: the note is empty, too long, or has control characters.
        DiskFull
    """
    contest = Contest(*key, checked(note), who, f"{datetime.now(UTC):%FT%TZ}", withdrawn)
    append_json(_journal(settings), vars(contest))
    return contest


def checked(note: str) -> str:
    """The note in one line.

    Raises:
        PublicationError: see `record`.
    """
    line = " ".join(note.split())
    if not line:
        raise PublicationError("say why: the note must not be empty; it is shown beside the change")
    if len(line) > LONGEST_NOTE:
        raise PublicationError(f"the note has {len(line)} characters; write at most {LONGEST_NOTE}")
    if not line.isprintable():
        raise PublicationError("the note has control characters; write plain text")
    return line


def _is_moment(text: str) -> bool:
    """Whether a time can be read: a line that somebody edited by hand must not stop a refresh."""
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _journal(settings: Settings) -> Path:
    return settings.home / "contests" / "changes.jsonl"
