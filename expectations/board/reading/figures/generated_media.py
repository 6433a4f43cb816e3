"""Two bar charts, images and videos, rising."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from expectations.board.reading.figures import theme

if TYPE_CHECKING:
    import pandas as pd


def draw(rows: pd.DataFrame, tasks: Mapping[str, str]) -> Any:
    """Each bar says its value and what one item is: steps, size and frames."""
    import altair as alt

    charts = [
        _bars(part, tasks.get(str(task), str(task)), theme.SERIES_COLOURS[place])
        for place, (task, part) in enumerate(rows.groupby("task", sort=True))
    ]
    return alt.vconcat(*charts).resolve_scale(x="independent")


def _bars(rows: pd.DataFrame, title: str, colour: str) -> Any:
    import altair as alt

    rows = rows.assign(
        value=[f"{theme.energy(row.energy_per_output_joules)}   {_item(row)}" for row in theme.records(rows)]
    )
    base = alt.Chart(rows, title=title, width=690, height=alt.Step(27)).encode(
        y=alt.Y("nickname:N", sort=list(rows["nickname"]), title=None).axis(domain=False, ticks=False),
        x=alt.X("energy_per_output_joules:Q", title="Energy of one item, J")
        .scale(domain=[0, rows["energy_per_output_joules"].max() * 1.55], nice=False)
        .axis(format="~s", tickCount=7),
    )
    return base.mark_bar(color=colour, height={"band": 0.72}) + base.mark_text(
        align="left", dx=5, fontSize=11.5, color=theme.SOFT
    ).encode(text="value:N")


def _item(row: Any) -> str:
    import pandas as pd

    frames = "" if pd.isna(row.num_frames) else f", {int(row.num_frames)} frames"
    return f"{row.total_params_billions:g}B, {row.inference_steps} steps, {row.width}x{row.height}{frames}"
