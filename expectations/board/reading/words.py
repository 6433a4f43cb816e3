"""How a number becomes a word of a sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from expectations.board.reading.figures import theme

_ROUND_FROM = 9.5
"""From here on a factor is said without a decimal."""


def filters(tasks: Mapping[str, str]) -> dict[str, Callable[..., str]]:
    """Filters of the sentences' templates. tasks: display name by task."""
    return {
        "whole": lambda value: f"{value:,.0f}",
        "times": lambda value: f"{value:.{int(value < _ROUND_FROM)}f} times",
        "factor": lambda value: f"{value:.1f}" if value % 1 else f"{value:.0f}",
        "exact": lambda value: f"{value:.2f}",
        "percent": lambda value: f"{100 * value:.0f} %",
        "signed": theme.per_cent,
        "energy": theme.energy,
        "tiny": lambda value: f"{value:.1g}",
        "task": lambda task: tasks.get(task, task),
    }
