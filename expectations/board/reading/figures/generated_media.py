"""Two bar charts, images and videos, rising. The reader chooses the GPU model of each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from expectations.board.reading.figures import theme

if TYPE_CHECKING:
    import pandas as pd


def draw(rows: pd.DataFrame, tasks: Mapping[str, str], layout: theme.Layout) -> Any:
    """Each bar says its value and what one item is: steps, size and frames."""
    import altair as alt

    charts, choices = [], []
    for place, (task, part) in enumerate(rows.groupby("task", sort=True)):
        name = tasks.get(str(task), str(task))
        choice = theme.Choice.among(part, "gpu_model", name, f"gpu_model_{place + 1}")
        charts.append(_bars(part, name, choice, theme.SERIES_COLOURS[place], layout))
        choices.append(choice.control)
    return alt.vconcat(*charts, usermeta=theme.controls(*choices)).resolve_scale(x="independent")


def _bars(rows: pd.DataFrame, name: str, choice: theme.Choice, colour: str, layout: theme.Layout) -> Any:
    import altair as alt

    title = alt.Title(alt.expr(f"{json.dumps(name + ', ')} + {choice.control.parameter}"))
    largest = choice.most(rows, "energy_per_output_joules", 1.55)
    order = alt.EncodingSortField(field="energy_per_output_joules", op="min", order="ascending")
    items = [_item(row) for row in theme.records(rows)]
    beside = [""] * len(items) if layout.is_narrow else [f" \N{MIDDLE DOT} {item}" for item in items]
    joules = [theme.energy(value) for value in rows["energy_per_output_joules"]]
    rows = rows.assign(
        value=[f"{value}{item}" for value, item in zip(joules, beside, strict=True)],
        item=items,
        label=[layout.broken(name, 16) for name in rows["nickname"]],
        gpus=[f"{row.num_gpus}x {row.gpu_model}" for row in theme.records(rows)],
    )
    width = layout.width - 80 if layout.is_narrow else 690
    base = (
        alt.Chart(rows, title=title, width=width, height=alt.Step(27))
        .transform_filter(choice.is_chosen)
        .encode(
            y=alt.Y("label:N", sort=order, title=None).axis(
                domain=False, ticks=False, labelLimit=280, labelExpr=theme.LINES
            ),
            x=alt.X("energy_per_output_joules:Q", title="Energy of one item, J")
            .scale(domainMin=0, domainMax=largest, nice=False)
            .axis(format="~s", tickCount=3 if layout.is_narrow else 7),
        )
    )
    bars = base.mark_bar(color=colour, height={"band": 0.72}).encode(
        tooltip=[
            alt.Tooltip("nickname:N", title="Model"),
            alt.Tooltip("energy_per_output_joules:Q", title="Energy, J", format=",.3~r"),
            alt.Tooltip("item:N", title="Item"),
            alt.Tooltip("gpus:N", title="On"),
            alt.Tooltip("batch_size:Q", title="Batch size"),
        ]
    )
    values = base.mark_text(align="left", dx=5, fontSize=11.5, color=theme.SOFT).encode(text="value:N")
    return (bars + values).add_params(choice.parameter)


def _item(row: Any) -> str:
    """Parameters, steps, size and frames of one item, as far as they are known."""
    import pandas as pd

    parts = (
        ("{:g}B", [row.total_params_billions]),
        ("{:.0f} steps", [row.inference_steps]),
        ("{:.0f}x{:.0f}", [row.width, row.height]),
        ("{:.0f} frames", [row.num_frames]),
    )
    return ", ".join(words.format(*values) for words, values in parts if not pd.isna(values).any())
