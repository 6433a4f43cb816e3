"""Three panels, a column of points per task; a line marks the median."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from expectations.board.reading.figures import theme

if TYPE_CHECKING:
    import pandas as pd

PANELS = (
    ("output_tokens_per_response", "Output tokens per answer"),
    ("energy_per_token_joules", "Energy per token, J"),
    ("energy_per_response_joules", "Energy per answer, J"),
)
WIDTH, HEIGHT = 250, 300
THOUSAND = 1000
STEP = 0.13
"""From one place beside the middle to the next; half a column is 1."""


def draw(rows: pd.DataFrame, tasks: Mapping[str, str]) -> Any:
    """Every model is a point beside others of its energy; a line is the median of a task."""
    import altair as alt

    rows = rows.assign(task_name=rows["task"].map(lambda task: tasks.get(task, task)))
    names = [tasks.get(task, task) for task in ("gpqa", "lm-arena-chat") if task in set(rows["task"])]
    panels = [_panel(rows, field, title, names) for field, title in PANELS]
    return alt.hconcat(*panels)


def _panel(rows: pd.DataFrame, field: str, title: str, names: list[str]) -> Any:
    import altair as alt

    top = rows[field].max() * 1.08
    placed = _beside(rows, field, top)
    x = alt.X("task_name:N", sort=names, title=None).axis(labelAngle=0, ticks=False, domain=False)
    y = (
        alt.Y(field, type="quantitative", title=None)
        .scale(domain=[0, top], nice=False)
        .axis(tickCount=6, format="~s" if top >= THOUSAND else ",~r")
    )
    colour = alt.Color("task_name:N", legend=None).scale(
        domain=names, range=list(theme.SERIES_COLOURS[: len(names)])
    )
    base = alt.Chart(placed, title=title, width=WIDTH, height=HEIGHT)
    points = base.mark_circle(size=64, opacity=0.75).encode(
        x=x, y=y, color=colour, xOffset=alt.XOffset("offset:Q").scale(domain=[-1, 1])
    )
    median = base.mark_tick(thickness=2.5, size=70, color=theme.INK).encode(
        x=x, y=alt.Y(f"median({field})", title=None)
    )
    return points + median


def _beside(rows: pd.DataFrame, field: str, top: float) -> pd.DataFrame:
    """Points that would cover each other stand side by side."""
    size = top * 10 / HEIGHT
    offsets = {}
    for _, group in rows.groupby("task"):
        placed: list[tuple[float, float]] = []
        for index, value in group[field].sort_values().items():
            free = (
                side
                for step in range(12)
                for side in (step * STEP, -step * STEP)
                if all(abs(value - other) > size or abs(side - at) > STEP * 0.9 for other, at in placed)
            )
            offsets[index] = next(free, 0.0)
            placed.append((value, offsets[index]))
    return rows.assign(offset=rows.index.map(offsets))
