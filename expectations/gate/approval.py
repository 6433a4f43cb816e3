"""Asks a person when a candidate changes more than the gate may decide by itself, and records the answer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from benchmark_tasks.errors import ApprovalNeeded
from benchmark_tasks.settings import Settings
from expectations.publications import record

SHOWN = 40
"""Changes listed in a question; the gate report has all of them."""


@dataclass(frozen=True)
class Approval:
    """A person's decision that changes beyond the band are right.

    changes: digest of the changes that the person saw; any others are refused. `None`: approved
    beforehand, whatever they are.
    """

    why: str
    by: str
    changes: str | None = None

    def covers(self, changes: Iterable[str]) -> bool:
        """Whether it allows publishing these changes."""
        return bool(self.why.strip()) and self.changes in (None, digest(changes))


@dataclass(frozen=True)
class Question:
    """What a person is asked: one line, and Markdown with every figure; `refused` if they decline."""

    subject: str
    body: str
    changes: str
    refused: str


def digest(changes: Iterable[str]) -> str:
    """Tells whether two lists of changes are the same, figures included."""
    return hashlib.sha256("\n".join(sorted(changes)).encode()).hexdigest()


def question(error: ApprovalNeeded) -> Question:
    """The question that follows from a refusal."""
    first, *others = error.changes
    lines = "\n".join(f"- `{_plain(change)}`" for change in error.changes[:SHOWN])
    if len(error.changes) > SHOWN:
        lines += f"\n- and {len(error.changes) - SHOWN} more: see the gate report"
    more = f", and {len(others)} more" if others else ""
    return Question(
        subject=f"Publish this? {_plain(first)}{more}",
        body=f"The candidate passed all other checks. A person must decide on these changes:\n\n{lines}\n\n"
        f"`{_plain(str(error))}`\n\n"
        "**Approve** publishes exactly these changes. **Reject**, or no answer in time, publishes nothing; "
        "the question comes again with the next refresh for as long as the change is there.",
        changes=digest(error.changes),
        refused=str(error),
    )


def record_rejection(settings: Settings, refused: str, by: str | None, why: str | None) -> None:
    """Keep in the journal of publications that a person declined, or that nobody answered (`by` is None)."""
    entry = {"event": "rejected", "at": f"{datetime.now(UTC):%FT%TZ}", "by": by, "why": why, "what": refused}
    record(settings, entry)


def _plain(text: str) -> str:
    """Names come from bundles: one line, and nothing that ends the code span it is shown in."""
    return "".join(char if char.isprintable() and char != "`" else "?" for char in text)
