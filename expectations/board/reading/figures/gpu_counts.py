"""Median ITL against energy per token, a panel per GPU model, a line per number of GPUs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from expectations.board.reading.figures import curves, theme

if TYPE_CHECKING:
    import pandas as pd


def draw(rows: pd.DataFrame, tasks: Mapping[str, str], layout: theme.Layout) -> Any:
    """Both panels have the same axes."""
    first = rows.iloc[0]
    name = f"{first.nickname}, {tasks.get(first.task, first.task)}"
    panels = [
        curves.panel(
            part, rows, width=layout.panel(375), title=f"{name}, {gpu_model}", frontier="is_on_gpu_frontier"
        )
        for gpu_model, part in rows.groupby("gpu_model", sort=True)
    ]
    return layout.join(panels)
