"""What can break, and one thing that is broken."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class Kind(StrEnum):
    """What broke. Each kind has its advice in `templates/advice.txt`."""

    REFRESH = "refresh"
    """A refresh of the leaderboard failed, or the gate refused it."""
    SWEEP = "sweep"
    """A measurement failed."""
    WAITING = "waiting"
    """A measurement waits, and nothing of its pool runs."""
    WATCH = "watch"
    """The watch for releases failed."""
    RUN = "run"
    """A run of another DAG failed."""
    LATE = "late"
    """A run has not ended by its deadline."""
    QUESTION = "question"
    """A question waits for a person."""
    COMPONENT = "component"
    """A process of the platform has ended or gives no sign of life."""
    HOST = "host"
    """A GPU host that joined gives no sign of life."""
    FILE = "file"
    """A DAG file cannot be read."""
    DISK = "disk"
    """A disk is nearly full."""


class Incident(BaseModel):
    """One thing that is broken.

    key: names it: two incidents with one key are the same, so it is told once. Like `component/scheduler`.
    what: what broke, in one sentence. why: the error or reason, if known. link: where to look.
    """

    model_config = ConfigDict(frozen=True)

    key: str = Field(min_length=1)
    kind: Kind
    what: str
    why: str = ""
    link: str = ""

    def __init__(self, key: str, kind: Kind, what: str, why: str = "", link: str = "") -> None:
        super().__init__(key=key, kind=kind, what=what, why=why, link=link)
