"""Paired bars, sorted by saving, one panel per kind of output. The reader chooses the ceiling of each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from expectations.board.reading.figures import theme

if TYPE_CHECKING:
    import pandas as pd

PANELS = {
    "tokens": ("Tokens", "median ITL at most", "ms", 100),
    "text-to-image": ("Images", "at most", "s per batch", 30),
    "text-to-video": ("Videos", "at most", "s per batch", 1000),
}
"""Name, words and unit of the ceiling, and the ceiling that is drawn first."""


def draw(rows: pd.DataFrame, tasks: Mapping[str, str], layout: theme.Layout) -> Any:
    """Energy of either GPU model, per cent of the older one's; all models, largest saving first."""
    import altair as alt

    charts, choices = [], []
    for panel, (name, words, unit, first) in PANELS.items():
        part = rows[rows["panel"] == panel]
        if part.empty:
            continue
        ceilings = sorted(part["ceiling"].unique())
        control = theme.Control(
            f"ceiling_{panel.replace('-', '_')}",
            f"{name}: {words}",
            tuple((float(ceiling), f"{ceiling:,.0f} {unit}") for ceiling in ceilings),
        )
        chosen = control.chosen(float(first if first in ceilings else ceilings[-1]))
        title = alt.expr(f"'{name}, {words} ' + format({chosen.name}, ',') + ' {unit}'")
        charts.append(_bars(_pairs(part, tasks, layout), chosen, title, layout))
        choices.append(control)
    return alt.vconcat(*charts, usermeta=theme.controls(*choices))


def _pairs(rows: pd.DataFrame, tasks: Mapping[str, str], layout: theme.Layout) -> pd.DataFrame:
    """Two rows per comparison, one per GPU model."""
    import pandas as pd

    several = rows["task"].nunique() > 1
    named = rows.assign(
        label=[
            f"{row.nickname}{', ' + tasks.get(row.task, row.task) if several else ''}"
            for row in theme.records(rows)
        ],
        ceiling=rows["ceiling"].astype(float),
    )
    sides = pd.concat((_side(named, side) for side in ("new", "old")), ignore_index=True)
    where = [""] * len(sides) if layout.is_narrow else [f" \N{MIDDLE DOT} {gpus}" for gpus in sides["gpus"]]
    texts = zip(sides["saving"], sides["joules"], where, strict=True)
    return sides.assign(value=[f"{saving}{theme.energy(joules)}{on}" for saving, joules, on in texts])


def _side(rows: pd.DataFrame, side: str) -> pd.DataFrame:
    """The bars of one side of the comparisons."""
    model, joules = rows[f"{side}_gpu_model"], rows[f"{side}_energy_per_output_joules"]
    changes = [
        "" if math.isnan(value) else f"{theme.per_cent(-value)} \N{MIDDLE DOT} "
        for value in rows["energy_reduction"].astype(float)
    ]
    return rows[["label", "ceiling", "energy_reduction"]].assign(
        gpu=model,
        gpus=rows[f"{side}_num_gpus"].astype(str) + "x " + model,
        batch_size=rows[f"{side}_batch_size"],
        joules=joules,
        percent=100 * joules / rows["old_energy_per_output_joules"],
        saving=changes if side == "new" else "",
    )


def _bars(pairs: pd.DataFrame, chosen: Any, title: Any, layout: theme.Layout) -> Any:
    import altair as alt

    order = alt.EncodingSortField(field="energy_reduction", op="max", order="descending")
    limit, size, width, ticks, room = (
        (125, 10, layout.width - 80, 4, 1.75) if layout.is_narrow else (300, 12, 520, 8, 1.4)
    )
    axis = alt.Axis(domain=False, ticks=False, labelLimit=limit, labelFontSize=size)
    if layout.is_narrow:
        axis.labelExpr = "split(datum.label, ', ')"  # model and task below each other
    domain = [0, max(110, pairs["percent"].max()) * room]
    gpus = list(dict.fromkeys(pairs["gpu"]))
    base = (
        alt.Chart(pairs, title=alt.Title(title), width=width, height=alt.Step(13))
        .transform_filter(f"datum.ceiling == {chosen.name}")
        .encode(
            y=alt.Y("label:N", sort=order, title=None).axis(axis).scale(paddingInner=0.3),
            yOffset=alt.YOffset("gpu:N", sort=gpus),
            x=alt.X("percent:Q", title=f"Energy, % of {gpus[-1]}")
            .scale(domain=domain, nice=False)
            .axis(tickCount=ticks),
        )
    )
    bars = base.mark_bar().encode(
        color=theme.series_colour("gpu", gpus, [theme.gpu_colour(gpu) for gpu in gpus], symbolType="square"),
        tooltip=[
            alt.Tooltip("label:N", title="Model"),
            alt.Tooltip("gpus:N", title="On"),
            alt.Tooltip("batch_size:Q", title="Batch size"),
            alt.Tooltip("joules:Q", title="Energy, J", format=",.3~r"),
            alt.Tooltip("energy_reduction:Q", title="Saving", format=".1%"),
        ],
    )
    values = base.mark_text(align="left", dx=4, fontSize=10.5, color=theme.SOFT).encode(text="value:N")
    return (bars + values).add_params(chosen)
