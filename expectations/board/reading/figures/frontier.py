"""Median ITL against energy per token of one model, all GPU models and numbers of GPUs in one panel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from expectations.board.reading.figures import curves, theme

if TYPE_CHECKING:
    import pandas as pd


def draw(rows: pd.DataFrame, tasks: Mapping[str, str], layout: theme.Layout) -> Any:
    """The frontier is a band; points that another configuration beats on both axes are faint."""
    first = rows.iloc[0]
    title = f"{first.nickname}, {tasks.get(first.task, first.task)}"
    return curves.panel(rows, rows, width=layout.width, title=title, frontier="is_on_frontier")
