"""Two panels over the batch size, a line per model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from expectations.board.reading.figures import theme

if TYPE_CHECKING:
    import pandas as pd

PANELS = (
    ("energy_per_token_joules", "Energy per token, J"),
    ("throughput_per_watt", "Tokens per second per watt"),
)


def draw(rows: pd.DataFrame, tasks: Mapping[str, str]) -> Any:
    """Both quantities on logarithmic axes; the legend names model and number of GPUs."""
    import altair as alt

    del tasks
    rows = rows.assign(
        series=[f"{row.nickname}, {row.num_gpus}x {row.gpu_model}" for row in theme.records(rows)]
    )
    return alt.hconcat(*(_panel(rows, field, title) for field, title in PANELS))


def _panel(rows: pd.DataFrame, field: str, title: str) -> Any:
    import altair as alt

    names = sorted(rows["series"].unique())
    colour = theme.series_colour("series", names, columns=2, labelLimit=320, symbolType="circle")
    base = alt.Chart(rows, width=385, height=280).encode(
        x=theme.batch_axis(rows),
        y=theme.logarithmic(alt.Y(field, type="quantitative"), list(rows[field]), title),
        color=colour,
        shape=alt.Shape("series:N", legend=None),
        order="batch_size:Q",
    )
    return base.mark_line(strokeWidth=2) + base.mark_point(filled=True, size=50, opacity=1)
