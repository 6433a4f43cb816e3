"""What packing and taking share: the limit of bytes, where bundles lie meanwhile, faults in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmark_tasks.errors import ContributionRefused
from expectations.contributions.faults import Bundle

MOST_BYTES = 4 << 30
"""Of all bundles of one file, unpacked: some 20,000 runs as large as the recorded ones."""


def in_their_places(bundles: Iterable[Bundle], root: Path) -> list[Bundle]:
    """Move bundles to `<root>/<task>/<month>/<run_id>`, where the gate looks for them."""
    placed = []
    for run, folder in bundles:
        place = root / run.configuration.task.value / f"{run.started_at:%Y-%m}" / run.run_id
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            placed.append((run, folder.rename(place)))
    return placed


def refuse(faults: Sequence[str], outcome: str) -> None:
    """Raise if there are faults.

    Raises:
        ContributionRefused: with the faults.
    """
    if faults:
        count = f"{len(faults)} fault{'' if len(faults) == 1 else 's'}"
        raise ContributionRefused(f"{outcome}: {count}; the first: {faults[0]}", tuple(faults))
