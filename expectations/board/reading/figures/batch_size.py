"""Two series side by side: four lines each over the batch size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from expectations.board.reading.figures import theme

if TYPE_CHECKING:
    import pandas as pd

LINES = (
    ("energy_percent_of_max", "energy per token"),
    ("throughput_percent_of_max", "tokens per second"),
    ("latency_percent_of_max", "median ITL"),
    ("power_percent_of_tdp", "power, % of TDP"),
)
HEIGHT = 270
TOP = 105


def draw(rows: pd.DataFrame, tasks: Mapping[str, str]) -> Any:
    """Per cent of the series' maximum; power as per cent of the TDP of all its GPUs."""
    import altair as alt

    panels = [_panel(part, tasks) for _, part in rows.groupby("series_number")]
    return alt.hconcat(*panels)


def _panel(rows: pd.DataFrame, tasks: Mapping[str, str]) -> Any:
    import altair as alt
    import pandas as pd

    first = rows.iloc[0]
    lines = [
        rows.assign(percent=rows[field], quantity=quantity, colour=colour)[
            ["batch_size", "percent", "quantity", "colour"]
        ]
        for (field, quantity), colour in zip(LINES, theme.SERIES_COLOURS, strict=True)
    ]
    points = pd.concat(lines).dropna()
    ends = points[points["batch_size"] == points["batch_size"].max()]
    gap = TOP * 15 / HEIGHT
    ends = ends.assign(percent=theme.spread_labels(list(ends["percent"]), gap))
    title = f"{first.nickname}, {tasks.get(first.task, first.task)}, {first.num_gpus}x {first.gpu_model}"
    y = alt.Y("percent:Q", title="% of maximum").scale(domain=[0, TOP], nice=False)
    base = alt.Chart(points, title=title, width=315, height=HEIGHT)
    encoded = base.encode(
        x=theme.batch_axis(rows),
        y=y,
        color=alt.Color("colour:N", scale=None),
        detail="quantity:N",
        order="batch_size:Q",
    )
    labels = (
        alt.Chart(ends)
        .mark_text(align="left", dx=8, fontSize=12)
        .encode(x=theme.batch_axis(rows), y=y, text="quantity:N", color=alt.Color("colour:N", scale=None))
    )
    return encoded.mark_line(strokeWidth=2) + encoded.mark_circle(size=42, opacity=1) + labels
