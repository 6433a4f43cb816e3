"""Latency against energy: a line per GPU model and number of GPUs through rising batch sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from expectations.board.reading.figures import theme

if TYPE_CHECKING:
    import pandas as pd

HEIGHT = 360
DASHES = ([1, 0], [7, 4], [3, 3], [9, 3, 2, 3])
"""How lines of one GPU model differ, from fewest GPUs to most."""

CEILING = theme.Ceiling("ceiling", "Median inter-token latency at most, ms")
TITLE = "Median inter-token latency, ms"
BEYOND = 0.13
"""Opacity of points over the ceiling."""

INTERACTIVE = "interactive"
"""The parameter that is true where a reader can drag the ceiling; a picture has no handle."""


def panel(
    rows: pd.DataFrame, choice: theme.Choice, *, width: int, layout: theme.Layout, frontier: str
) -> Any:
    """One panel of what is chosen. frontier: the column that says which points are on it.

    Points of the same batch size light up together. Each has its batch size beside it, each line its name at
    its smallest batch size. The band joins the points of the frontier; between them nothing was measured.
    Points over the ceiling are faint.
    """
    import altair as alt

    rows = rows.assign(
        series=[f"{row.num_gpus}x {row.gpu_model}" for row in theme.records(rows)],
        colour=[theme.gpu_colour(row.gpu_model) for row in theme.records(rows)],
        on_frontier=rows[frontier].astype(bool),
        label=rows["batch_size"].astype(str),
    )
    starts = rows.groupby(["choice", "series"])["batch_size"].transform("min") == rows["batch_size"]
    rows = rows.assign(line_name=rows["series"].where(starts, ""))
    x = theme.logarithmic_of_choice(alt.X("median_itl_ms:Q"), TITLE)
    y = theme.logarithmic_of_choice(alt.Y("energy_per_output_joules:Q"), "Energy per token, J")
    counts = [int(count) for count in sorted(rows["num_gpus"].unique())]
    dashes = [list(DASHES[min(place, len(DASHES) - 1)]) for place in range(len(counts))]
    over = f"isValid({CEILING.parameter}) && datum.median_itl_ms > {CEILING.parameter}"
    chart = (
        alt.Chart(rows, width=width, height=HEIGHT)
        .transform_filter(choice.is_chosen)
        .transform_calculate(strength=f"{over} ? {BEYOND} : datum.on_frontier ? 1 : 0.5")
    )
    base = chart.encode(x=x, y=y, color=alt.Color("colour:N", scale=None))
    band = (
        chart.transform_filter("datum.on_frontier")
        .mark_line(strokeWidth=15, opacity=0.16, color=theme.INK, strokeCap="round", strokeJoin="round")
        .encode(x=x, y=y, order="median_itl_ms:Q")
    )
    lines = base.mark_line(strokeWidth=1.8).encode(
        detail="series:N",
        order="batch_size:Q",
        strokeDash=alt.StrokeDash("num_gpus:O", legend=None).scale(domain=counts, range=dashes),
    )
    strength = alt.Opacity("strength:Q", scale=None)
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
        text="label:N", color=alt.value(theme.SOFT), opacity=strength
    )
    names = (
        base.transform_filter("datum.line_name != ''")
        .mark_text(dx=9, dy=-9, align="left", fontSize=12.5, fontWeight="bold")
        .encode(text="line_name:N")
    )
    title = layout.title_of(choice.control.parameter, width + 40)
    layers = alt.layer(*_ceiling(chart), band, lines, points.add_params(lit), sizes, names, title=title)
    return layers.add_params(
        choice.parameter,
        alt.param(name=CEILING.parameter, value=None),
        alt.param(name=INTERACTIVE, value=False),
    )


def _ceiling(chart: Any) -> list[Any]:
    """The ceiling: what is beyond it shaded, its line and its value.

    Without a ceiling it stands at the end of the axis.
    """
    import altair as alt

    limit = CEILING.parameter
    at = f"isValid({limit}) ? clamp({limit}, datum.least, datum.end) : datum.end"
    words = f"isValid({limit}) ? '\N{LESS-THAN OR EQUAL TO} ' + format({limit}, ',.3~r') + ' ms' : ''"
    placed = (
        chart.transform_aggregate(least="min(median_itl_ms)", most="max(median_itl_ms)")
        .transform_calculate(end="datum.most * 1.06")
        .transform_calculate(at=at, words=words)
        .encode(x=theme.logarithmic_of_choice(alt.X("at:Q"), TITLE))
    )
    seen = alt.expr(f"isValid({limit}) ? 1 : {INTERACTIVE} ? 0.6 : 0")
    top, bottom = alt.value(0), alt.value(HEIGHT)
    line = placed.mark_rule(color=theme.INK, strokeDash=[6, 4], strokeWidth=1.4, opacity=seen)
    label = placed.mark_text(align="right", dx=-6, fontSize=12, fontWeight="bold", color=theme.INK)
    return [
        placed.mark_rect(color=theme.SOFT, opacity=0.07).encode(x2="end:Q", y=top, y2=bottom),
        line.encode(y=top, y2=bottom),
        label.encode(text="words:N", y=alt.value(10)),
    ]
