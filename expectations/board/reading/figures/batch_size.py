"""Two series side by side: four lines each over the batch size. The reader chooses the series."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from expectations.board.reading.figures import theme

if TYPE_CHECKING:
    import pandas as pd

LINES = (
    ("energy_percent_of_max", "energy per token", "energy_per_output_joules", "J per token"),
    ("throughput_percent_of_max", "tokens per second", "throughput_per_second", "tokens/s"),
    ("latency_percent_of_max", "median ITL", "median_itl_ms", "ms"),
    ("power_percent_of_tdp", "power, % of TDP", "mean_power_watts", "W"),
)
"""Column, name, and the column and unit of what was measured."""

PANELS = 2
HEIGHT = 270
TOP = 105


def draw(rows: pd.DataFrame, tasks: Mapping[str, str], layout: theme.Layout) -> Any:
    """Per cent of the series' maximum; power as per cent of the TDP of all its GPUs."""
    rows = rows.assign(series=theme.series_names(rows, tasks))
    names = list(dict.fromkeys(rows["series"]))
    lines = _lines(rows)
    options = tuple((name, name) for name in sorted(names))
    choices = [
        (theme.Control(f"series_{place + 1}", ("First series", "Second series")[place], options), name)
        for place, name in enumerate(names[:PANELS])
    ]
    panels = [_panel(lines, control, first, layout) for control, first in choices]
    return layout.join(panels, usermeta=theme.controls(*(control for control, _ in choices)))


def _lines(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per series, batch size and quantity; the last of each line has its name and where it stands."""
    import pandas as pd

    parts = [
        rows.assign(
            percent=rows[field],
            quantity=quantity,
            colour=colour,
            measured=[f"{theme.significant(value)} {unit}" for value in rows[source].astype(float)],
        )[["series", "batch_size", "percent", "quantity", "colour", "measured"]]
        for (field, quantity, source, unit), colour in zip(LINES, theme.SERIES_COLOURS, strict=True)
    ]
    points = pd.concat(parts).dropna(subset="percent").reset_index(drop=True)
    ends = points[points["batch_size"] == points.groupby("series")["batch_size"].transform("max")]
    places: dict[Any, float] = {}
    for _, group in ends.groupby("series"):
        gap = TOP * 15 / HEIGHT
        places |= dict(zip(group.index, theme.spread_labels(list(group["percent"]), gap), strict=True))
    return points.assign(label_percent=[places.get(index, math.nan) for index in points.index])


def _panel(points: pd.DataFrame, control: theme.Control, first: str, layout: theme.Layout) -> Any:
    import altair as alt

    chosen = control.chosen(first)
    title = layout.title_of(chosen.name, layout.panel(400) + 50)
    x = theme.batch_axis_of_choice()
    y = alt.Y("percent:Q", title="% of maximum").scale(domain=[0, TOP], nice=False)
    width = layout.width - 95 if layout.is_narrow else 315
    base = (
        alt.Chart(points, title=title, width=width, height=HEIGHT)
        .transform_filter(f"datum.series == {chosen.name}")
        .encode(x=x, y=y, color=alt.Color("colour:N", scale=None))
    )
    lines = base.mark_line(strokeWidth=2).encode(detail="quantity:N", order="batch_size:Q")
    marks = base.mark_circle(size=46, opacity=1).encode(
        tooltip=[
            alt.Tooltip("quantity:N", title="What"),
            alt.Tooltip("batch_size:Q", title="Batch size"),
            alt.Tooltip("measured:N", title="Measured"),
            alt.Tooltip("percent:Q", title="%", format=".1f"),
        ]
    )
    labels = (
        base.transform_filter("isValid(datum.label_percent)")
        .mark_text(align="left", dx=8, fontSize=12)
        .encode(y=alt.Y("label_percent:Q"), text="quantity:N")
    )
    return (lines + marks + labels).add_params(chosen)
