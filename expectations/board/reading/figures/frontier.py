"""Median ITL against energy per token of one model, all GPU models and numbers of GPUs in one panel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from expectations.board.reading.figures import curves, theme

if TYPE_CHECKING:
    import pandas as pd


def draw(rows: pd.DataFrame, tasks: Mapping[str, str], layout: theme.Layout) -> Any:
    """The frontier is a band; points that another configuration beats on both axes are faint."""
    rows = rows.assign(choice=theme.names_apart(rows, rows["frontier_id"], [""] * len(rows), tasks))
    choice = theme.Choice.among(rows, "choice", "Model and task")
    panel = curves.panel(rows, choice, width=layout.width, layout=layout, frontier="is_on_frontier")
    return panel.properties(usermeta=theme.controls(choice.control, ceiling=curves.CEILING))
