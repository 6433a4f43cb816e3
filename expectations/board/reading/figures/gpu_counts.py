"""Median ITL against energy per token on fewer and on more GPUs; the reader chooses what is in each panel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from expectations.board.reading.figures import curves, theme

if TYPE_CHECKING:
    import pandas as pd

PANELS = ("First panel", "Second panel")


def draw(rows: pd.DataFrame, tasks: Mapping[str, str], layout: theme.Layout) -> Any:
    """One model, task and GPU model per panel, a line per number of GPUs. Both panels have the same axes."""
    keys = rows["frontier_id"] + rows["gpu_model"]
    rows = rows.assign(choice=theme.names_apart(rows, keys, rows["gpu_model"], tasks))
    firsts = list(dict.fromkeys(rows["choice"]))
    choices = [
        replace(theme.Choice.among(rows, "choice", label, f"choice_{place + 1}"), first=first)
        for place, (label, first) in enumerate(zip(PANELS, firsts, strict=False))
    ]
    panels = [
        curves.panel(rows, choice, width=layout.panel(375), layout=layout, frontier="is_on_gpu_frontier")
        for choice in choices
    ]
    controls = theme.controls(*(choice.control for choice in choices), ceiling=curves.CEILING)
    return layout.join(panels, usermeta=controls).resolve_scale(x="shared", y="shared")
