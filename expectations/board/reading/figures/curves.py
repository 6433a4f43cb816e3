"""Latency against energy: a line per GPU model and number of GPUs through rising batch sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from expectations.board.reading.figures import theme

if TYPE_CHECKING:
    import pandas as pd

HEIGHT = 360
DASHES = ([1, 0], [7, 4], [3, 3], [9, 3, 2, 3])
"""How lines of one GPU model differ, from fewest GPUs to most."""


def panel(rows: pd.DataFrame, all_rows: pd.DataFrame, *, width: int, title: str, frontier: str) -> Any:
    """One panel. all_rows: those that set the axes. frontier: the column that says which points are on it.

    Points of the same batch size light up together. Each has its batch size beside it, each line its name at
    its smallest batch size. The band joins the
    points of the frontier; between them nothing was measured.
    """
    import altair as alt

    rows = rows.assign(
        series=[f"{row.num_gpus}x {row.gpu_model}" for row in theme.records(rows)],
        colour=[theme.gpu_colour(row.gpu_model) for row in theme.records(rows)],
        on_frontier=rows[frontier].astype(bool),
        label=rows["batch_size"].astype(str),
    )
    itl, joules = list(all_rows["median_itl_ms"]), list(all_rows["energy_per_output_joules"])
    x = theme.logarithmic(alt.X("median_itl_ms:Q"), itl, "Median inter-token latency, ms")
    y = theme.logarithmic(alt.Y("energy_per_output_joules:Q"), joules, "Energy per token, J")
    counts = sorted(all_rows["num_gpus"].unique())
    names = sorted(rows["series"].unique(), key=lambda name: int(name.split("x")[0]))
    dashes = [list(DASHES[min(counts.index(int(name.split("x")[0])), len(DASHES) - 1)]) for name in names]
    base = alt.Chart(rows, width=width, height=HEIGHT, title=title).encode(
        x=x, y=y, color=alt.Color("colour:N", scale=None)
    )
    band = (
        alt.Chart(rows[rows["on_frontier"]].sort_values("median_itl_ms"))
        .mark_line(strokeWidth=15, opacity=0.16, color=theme.INK, strokeCap="round", strokeJoin="round")
        .encode(x=x, y=y, order="median_itl_ms:Q")
    )
    lines = base.mark_line(strokeWidth=1.8).encode(
        detail="series:N",
        order="batch_size:Q",
        strokeDash=alt.StrokeDash("series:N", legend=None).scale(domain=names, range=dashes),
    )
    strength = alt.condition(alt.datum.on_frontier, alt.value(1), alt.value(0.45))
    lit = alt.selection_point(name="lit", fields=["batch_size"], on="pointerover", empty=False)
    points = base.mark_circle().encode(
        opacity=strength,
        size=alt.condition(lit, alt.value(190), alt.value(64)),
        tooltip=[
            alt.Tooltip("series:N", title="On"),
            alt.Tooltip("batch_size:Q", title="Batch size"),
            alt.Tooltip("median_itl_ms:Q", title="Median ITL, ms", format=",.3~r"),
            alt.Tooltip("energy_per_output_joules:Q", title="Energy per token, J", format=",.3~r"),
            alt.Tooltip("on_frontier:N", title="On the frontier"),
        ],
    )
    sizes = base.mark_text(dx=-7, dy=9, align="right", fontSize=10.5).encode(
        text="label:N",
        color=alt.value(theme.SOFT),
        opacity=alt.condition(alt.datum.on_frontier, alt.value(1), alt.value(0.75)),
    )
    first = rows.loc[rows.groupby("series")["batch_size"].idxmin()]
    names_layer = (
        alt.Chart(first)
        .mark_text(dx=9, dy=-9, align="left", fontSize=12.5, fontWeight="bold")
        .encode(x=x, y=y, text="series:N", color=alt.Color("colour:N", scale=None))
    )
    return band + lines + points.add_params(lit) + sizes + names_layer
