"""Decides from heartbeats whether a component works, hangs or has ended, and when it may be started again.

Only the time between two looks counts, never a clock of the day: after a suspended machine wakes up, or its
clock was set, every component has its full patience again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

WELL_SECONDS = 60.0
"""A component that has worked for so long is well: its next end is a new one."""

FIRST_DELAY_SECONDS = 5.0
LONGEST_DELAY_SECONDS = 600.0
SILENT_SECONDS = 30.0
"""Airflow's own threshold: a component whose last heartbeat is older is not healthy."""

_LONGEST_LOOK_SECONDS = 30.0
"""After a longer time between two looks, it was this process that did not work."""

CANNOT_START = 5
"""After so many starts in a row people are told that it cannot start; it is tried again every 10 minutes."""


class Verdict(Enum):
    """What a component does."""

    WORKS = "works"
    STARTS = "starts"
    SILENT = "has no heartbeat"
    HANGS = "hangs"
    ENDED = "has ended"


@dataclass(frozen=True)
class Patience:
    """Seconds without a heartbeat after which a component hangs: at work, and after a start."""

    at_work_seconds: float
    at_start_seconds: float


@dataclass
class Watch:
    """What is known of one component from one look to the next. Times are those of a monotonic clock.

    Attributes:
        patience: how long it may be silent.
        looked_at: time of the last look.
        silent_seconds: time between looks without a new heartbeat.
        beat: its last heartbeat; None until the first since its start.
        old_beat: the last heartbeat of the process before it; it counts for nothing.
        starts: starts in a row, until it has been well.
        next_start: it is not started before.
        works_since: since when it has worked without a break.
    """

    patience: Patience
    looked_at: float
    silent_seconds: float = 0.0
    beat: datetime | None = None
    old_beat: datetime | None = None
    starts: int = 0
    next_start: float = 0.0
    works_since: float | None = None

    @property
    def cannot_start(self) -> bool:
        """Whether it has been started again and again in vain."""
        return self.starts >= CANNOT_START

    def look(self, *, alive: bool, beat: datetime | None, now: float) -> Verdict:
        """Take note of what is seen of it now.

        alive: its process is there. beat: its last heartbeat, as far as it can be read.
        """
        passed, self.looked_at = min(now - self.looked_at, _LONGEST_LOOK_SECONDS), now
        if beat is not None and beat not in (self.beat, self.old_beat):
            self.beat, self.silent_seconds = beat, 0.0
        else:
            self.silent_seconds += passed
        verdict = self._verdict(alive)
        self._remember(verdict, now)
        return verdict

    def pause(self, now: float) -> None:
        """Nothing can be known of it at present: silence does not count."""
        self.looked_at, self.silent_seconds = now, 0.0

    def may_start(self, now: float) -> bool:
        """Whether the delay since its last start is over."""
        return now >= self.next_start

    def started(self, now: float, old_beat: datetime | None) -> None:
        """It was started again. old_beat: the last heartbeat of the process before."""
        self.starts += 1
        delay = FIRST_DELAY_SECONDS * 2.0 ** (self.starts - 1)
        self.next_start = now + (LONGEST_DELAY_SECONDS if self.cannot_start else delay)
        self.looked_at, self.silent_seconds = now, 0.0
        self.beat, self.old_beat = None, old_beat

    def _verdict(self, alive: bool) -> Verdict:
        if not alive:
            return Verdict.ENDED
        if self.beat is None:
            late = self.silent_seconds > self.patience.at_start_seconds
            return Verdict.HANGS if late else Verdict.STARTS
        if self.silent_seconds > self.patience.at_work_seconds:
            return Verdict.HANGS
        return Verdict.SILENT if self.silent_seconds > SILENT_SECONDS else Verdict.WORKS

    def _remember(self, verdict: Verdict, now: float) -> None:
        if verdict in (Verdict.STARTS, Verdict.HANGS, Verdict.ENDED):
            self.works_since = None
        elif self.works_since is None:
            self.works_since = now
        elif now - self.works_since >= WELL_SECONDS:
            self.starts = 0
