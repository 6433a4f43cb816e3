"""What a person is asked when a candidate changes more than a machine may decide, and the answer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from benchmark_tasks.disk import append_json
from benchmark_tasks.errors import ApprovalNeeded
from benchmark_tasks.settings import Settings
from expectations.publications import EVENTS_FILE

SHOWN = 40
"""Changes that a question spells out; the gate report has all of them."""


@dataclass(frozen=True)
class Approval:
    """A person's word that changes beyond the band are right.

    changes: digest of the changes that the person saw; any others are refused. `None`: approved
    beforehand, whatever they are.
    """

    why: str
    by: str
    changes: str | None = None

    def covers(self, found: Iterable[str]) -> bool:
        """Whether these changes may be published on this word."""
        return bool(self.why.strip()) and self.changes in (None, digest(found))


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
    """The question that a refusal amounts to."""
    first, *others = error.changes
    lines = "\n".join(f"- `{_plain(change)}`" for change in error.changes[:SHOWN])
    if len(error.changes) > SHOWN:
        lines += f"\n- and {len(error.changes) - SHOWN} more: see the gate report"
    more = f", and {len(others)} more" if others else ""
    return Question(
        subject=f"Publish this? {_plain(first)}{more}",
        body=f"The candidate is whole, but a person must decide on these changes:\n\n{lines}\n\n"
        f"`{_plain(str(error))}`\n\n"
        "**Approve** publishes exactly these changes. **Reject**, or no answer in time, publishes nothing; "
        "the question comes again with the next refresh for as long as the change stands.",
        changes=digest(error.changes),
        refused=str(error),
    )


def record_rejection(settings: Settings, refused: str, by: str | None, why: str | None) -> None:
    """Keep in the journal of publications that a person declined, or that nobody answered (`by` is None)."""
    entry = {"event": "rejected", "at": f"{datetime.now(UTC):%FT%TZ}", "by": by, "why": why, "what": refused}
    append_json(settings.published / EVENTS_FILE, entry)


def _plain(text: str) -> str:
    """Names come from bundles: one line, and nothing that ends the code span it is shown in."""
    return "".join(char if char.isprintable() and char != "`" else "?" for char in text)
