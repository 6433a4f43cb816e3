"""What readers still get while something is broken."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from benchmark_tasks.errors import PublicationError
from benchmark_tasks.settings import Settings


@dataclass(frozen=True)
class Published:
    """The current publication.

    rows: those of the leaderboard. quarantined: bundles that its gate set aside. None: its manifest does not
    say.
    """

    number: int
    published_at: datetime
    rows: int | None
    quarantined: int | None

    @property
    def age_seconds(self) -> float:
        """Time since it was published."""
        return max(0.0, (datetime.now(UTC) - self.published_at).total_seconds())


def current(settings: Settings) -> Published | None:
    """The current publication; None before the first one, or if its manifest cannot be read."""
    from expectations import publications

    try:
        publication = publications.current(settings)
    except PublicationError:
        return None
    if publication is None:
        return None
    rows = publication.rows
    return Published(
        publication.number, publication.published_at, rows.get("leaderboard"), rows.get("quarantine")
    )
