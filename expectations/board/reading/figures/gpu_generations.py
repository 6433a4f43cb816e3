"""Paired bars, sorted by saving, one panel per kind of output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from expectations.board.reading.figures import theme

if TYPE_CHECKING:
    import pandas as pd

PANELS = {
    "tokens": "Tokens, median ITL at most 100 ms: energy per token, % of the older GPU model's",
    "text-to-image": "Images, at most 30 s per batch: energy per image, % of the older GPU model's",
    "text-to-video": "Videos, at most 1,000 s per batch: energy per video, % of the older GPU model's",
}


def draw(rows: pd.DataFrame, tasks: Mapping[str, str]) -> Any:
    """The newer GPU model's energy as a bar against the older one's, which is the line at 100 %."""
    import altair as alt

    charts = [
        _bars(rows[rows["panel"] == panel], title, tasks)
        for panel, title in PANELS.items()
        if panel in set(rows["panel"])
    ]
    return alt.vconcat(*charts)


def _bars(rows: pd.DataFrame, title: str, tasks: Mapping[str, str]) -> Any:
    import altair as alt

    several = rows["task"].nunique() > 1
    rows = rows.assign(
        label=[
            f"{row.nickname}{', ' + tasks.get(row.task, row.task) if several else ''}"
            for row in theme.records(rows)
        ],
        percent=100 * (1 - rows["energy_reduction"]),
        colour=[theme.gpu_colour(row.new_gpu_model) for row in theme.records(rows)],
        beside=(100 * (1 - rows["energy_reduction"])).clip(lower=100) + 1,
        value=[
            f"{theme.per_cent(-row.energy_reduction)}   {_side(row, 'new')} against {_side(row, 'old')}"
            for row in theme.records(rows)
        ],
    )
    base = alt.Chart(rows, title=title, width=560, height=alt.Step(21)).encode(
        y=alt.Y("label:N", sort=list(rows["label"]), title=None).axis(domain=False, ticks=False),
        x=alt.X("percent:Q", title=None)
        .scale(domain=[0, max(110, rows["percent"].max()) * 1.45], nice=False)
        .axis(tickCount=8),
    )
    rule = alt.Chart(rows.head(1).assign(percent=100)).mark_rule(
        color=theme.gpu_colour(rows.iloc[0]["old_gpu_model"]), strokeWidth=2
    )
    return (
        base.mark_bar(height={"band": 0.7}).encode(color=alt.Color("colour:N", scale=None))
        + rule.encode(x="percent:Q")
        + base.mark_text(align="left", dx=5, fontSize=11, color=theme.SOFT).encode(
            x="beside:Q", text="value:N"
        )
    )


def _side(row: Any, side: str) -> str:
    return f"{getattr(row, f'{side}_num_gpus')}x {getattr(row, f'{side}_gpu_model')}"
