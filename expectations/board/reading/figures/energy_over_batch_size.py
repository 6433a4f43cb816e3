"""Two panels over the batch size, a line per model. The reader chooses task and GPU model."""

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


def draw(rows: pd.DataFrame, tasks: Mapping[str, str], layout: theme.Layout) -> Any:
    """Both quantities on logarithmic axes; the legend names model and number of GPUs."""
    rows = rows.assign(
        series=[f"{row.nickname}, {row.num_gpus}x {row.gpu_model}" for row in theme.records(rows)],
        choice=[f"{tasks.get(row.task, row.task)}, {row.gpu_model}" for row in theme.records(rows)],
    )
    choice = theme.Choice.among(rows, "choice", "Task and GPU model")
    panels = [_panel(rows, field, title, choice, layout) for field, title in PANELS]
    return layout.join(panels, usermeta=theme.controls(choice.control))


def _panel(rows: pd.DataFrame, field: str, title: str, choice: theme.Choice, layout: theme.Layout) -> Any:
    import altair as alt

    colour = (
        alt.Color("series:N")
        .scale(range=list(theme.SERIES_COLOURS))
        .legend(
            title=None,
            orient="top",
            labelColor=theme.INK,
            labelFontSize=12.5,
            columns=1 if layout.is_narrow else 2,
            labelLimit=320,
            symbolType="circle",
        )
    )
    heading = layout.title_of(choice.control.parameter, layout.panel(400))
    base = (
        alt.Chart(rows, title=heading, width=layout.panel(375), height=280)
        .transform_filter(choice.is_chosen)
        .encode(
            x=theme.batch_axis_of_choice(),
            y=theme.logarithmic_of_choice(alt.Y(field, type="quantitative"), title),
            color=colour,
            order="batch_size:Q",
        )
    )
    lit = alt.selection_point(name="lit", fields=["batch_size"], on="pointerover", empty=False)
    points = base.mark_point(filled=True, opacity=1).encode(
        shape=alt.Shape("series:N", legend=None),
        size=alt.condition(lit, alt.value(150), alt.value(50)),
        tooltip=[
            alt.Tooltip("series:N", title="Model"),
            alt.Tooltip("batch_size:Q", title="Batch size"),
            alt.Tooltip(field, type="quantitative", title=title, format=",.3~r"),
        ],
    )
    return (base.mark_line(strokeWidth=2) + points.add_params(lit)).add_params(choice.parameter)
