"""Two bar charts, images and videos, rising."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from expectations.board.reading.figures import theme

if TYPE_CHECKING:
    import pandas as pd


def draw(rows: pd.DataFrame, tasks: Mapping[str, str], layout: theme.Layout) -> Any:
    """Each bar says its value and what one item is: steps, size and frames."""
    import altair as alt

    charts = [
        _bars(part, tasks.get(str(task), str(task)), theme.SERIES_COLOURS[place], layout)
        for place, (task, part) in enumerate(rows.groupby("task", sort=True))
    ]
    return alt.vconcat(*charts).resolve_scale(x="independent")


def _bars(rows: pd.DataFrame, title: str, colour: str, layout: theme.Layout) -> Any:
    import altair as alt

    items = [_item(row) for row in theme.records(rows)]
    beside = [""] * len(items) if layout.is_narrow else [f" \N{MIDDLE DOT} {item}" for item in items]
    joules = [theme.energy(value) for value in rows["energy_per_output_joules"]]
    rows = rows.assign(
        value=[f"{value}{item}" for value, item in zip(joules, beside, strict=True)],
        item=items,
        gpus=[f"{row.num_gpus}x {row.gpu_model}" for row in theme.records(rows)],
    )
    base = alt.Chart(
        rows, title=title, width=layout.width - 80 if layout.is_narrow else 690, height=alt.Step(27)
    ).encode(
        y=alt.Y("nickname:N", sort=list(rows["nickname"]), title=None).axis(
            domain=False, ticks=False, labelLimit=140 if layout.is_narrow else 280
        ),
        x=alt.X("energy_per_output_joules:Q", title="Energy of one item, J")
        .scale(domain=[0, rows["energy_per_output_joules"].max() * 1.55], nice=False)
        .axis(format="~s", tickCount=3 if layout.is_narrow else 7),
    )
    return base.mark_bar(color=colour, height={"band": 0.72}).encode(
        tooltip=[
            alt.Tooltip("nickname:N", title="Model"),
            alt.Tooltip("energy_per_output_joules:Q", title="Energy, J", format=",.3~r"),
            alt.Tooltip("item:N", title="Item"),
            alt.Tooltip("gpus:N", title="On"),
            alt.Tooltip("batch_size:Q", title="Batch size"),
        ]
    ) + base.mark_text(align="left", dx=5, fontSize=11.5, color=theme.SOFT).encode(text="value:N")


def _item(row: Any) -> str:
    import pandas as pd

    frames = "" if pd.isna(row.num_frames) else f", {int(row.num_frames)} frames"
    return f"{row.total_params_billions:g}B, {row.inference_steps} steps, {row.width}x{row.height}{frames}"
