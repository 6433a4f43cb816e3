"""Three panels: per task the distribution over models as a density, each model a point, the median a line."""

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
HEIGHT = 300
ROOM = 1.08
"""From the largest value to the end of its axis."""

THOUSAND = 1000
HALF = 0.42
"""Half the width of a density; from one task to the next is 1."""

STEP = 0.055
"""From one place beside the middle to the next."""

FEWEST = 4
"""Models from which on a density is drawn."""


def draw(rows: pd.DataFrame, tasks: Mapping[str, str], layout: theme.Layout) -> Any:
    """Each model at its best configuration; all axes begin at 0."""
    choice = theme.Choice.among(rows, "gpu_model", "GPU model")
    names = [tasks.get(task, task) for task in ("gpqa", "lm-arena-chat") if task in set(rows["task"])]
    rows = rows.assign(task_name=rows["task"].map(lambda task: tasks.get(task, task)))
    rows = rows.assign(
        middle=rows["task_name"].map(names.index),
        models=rows.groupby(["gpu_model", "task"])["task"].transform("size"),
        gpus=[f"{row.num_gpus}x {row.gpu_model}" for row in theme.records(rows)],
    )
    panels = [_panel(rows, *panel, names=names, choice=choice, layout=layout) for panel in PANELS]
    return layout.join(panels, usermeta=theme.controls(choice.control))


def _panel(
    rows: pd.DataFrame,
    field: str,
    title: str,
    *,
    names: list[str],
    choice: theme.Choice,
    layout: theme.Layout,
) -> Any:
    import altair as alt

    top = rows[field].max() * ROOM
    placed = _beside(rows, field)
    labels = alt.expr(f"{names!r}[datum.value]")
    x_title = None
    x_scale = alt.Scale(domain=[-0.5, len(names) - 0.5], nice=False, zero=False)
    x_axis = alt.Axis(
        values=list(range(len(names))), labelExpr=labels.expr, ticks=False, domain=False, grid=False
    )
    y = (
        alt.Y(field, type="quantitative", title=None)
        .scale(domainMin=0, domainMax=choice.most(rows, field, ROOM), nice=False)
        .axis(tickCount=6, format="~s" if top >= THOUSAND else ",~r")
    )
    colour = alt.Color("task_name:N", legend=None).scale(
        domain=names, range=list(theme.SERIES_COLOURS[: len(names)])
    )
    base = alt.Chart(placed, title=title, width=layout.panel(235), height=HEIGHT).transform_filter(
        choice.is_chosen
    )
    density = (
        base.transform_filter(f"datum.models >= {FEWEST}")
        .transform_density(
            field, groupby=["task_name", "middle"], extent=[0, top], steps=200, as_=["at", "density"]
        )
        .transform_joinaggregate(highest="max(density)", groupby=["task_name"])
        .transform_calculate(
            low=f"datum.middle - {HALF} * datum.density / datum.highest",
            high=f"datum.middle + {HALF} * datum.density / datum.highest",
        )
        .mark_area(orient="horizontal", opacity=0.18, clip=True)
        .encode(
            y=alt.Y("at:Q"),
            x=alt.X("low:Q", title=x_title, scale=x_scale, axis=x_axis),
            x2="high:Q",
            color=colour,
        )
    )
    points = base.mark_circle(size=64, opacity=0.8).encode(
        x=alt.X("across:Q", title=x_title, scale=x_scale, axis=x_axis),
        y=y,
        color=colour,
        tooltip=[
            alt.Tooltip("nickname:N", title="Model"),
            alt.Tooltip("task_name:N", title="Task"),
            alt.Tooltip(field, type="quantitative", title=title, format=",.3~r"),
            alt.Tooltip("gpus:N", title="On"),
            alt.Tooltip("batch_size:Q", title="Batch size"),
        ],
    )
    median = (
        base.transform_aggregate(median=f"median({field})", groupby=["task_name", "middle"])
        .transform_calculate(low=f"datum.middle - {HALF / 2}", high=f"datum.middle + {HALF / 2}")
        .mark_rule(strokeWidth=2.5, color=theme.INK)
        .encode(
            x=alt.X("low:Q", title=x_title, scale=x_scale, axis=x_axis),
            x2="high:Q",
            y=alt.Y("median:Q", title=None),
            tooltip=[
                alt.Tooltip("task_name:N", title="Task"),
                alt.Tooltip("median:Q", title="Median", format=",.3~r"),
            ],
        )
    )
    return (density + points + median).add_params(choice.parameter)


def _beside(rows: pd.DataFrame, field: str) -> pd.DataFrame:
    """Points that would cover each other stand side by side."""
    tops = (rows.groupby("gpu_model")[field].max() * ROOM).to_dict()
    offsets = {}
    for (gpu_model, _), group in rows.groupby(["gpu_model", "task"]):
        size = tops[gpu_model] * 10 / HEIGHT
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
    return rows.assign(across=rows["middle"] + rows.index.map(offsets))
