"""The figure in the tab of a DAG or a run: its published rows over the batch size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jouleboard_airflow.ui.published_rows import PublishedRow

WIDTH, HEIGHT = 360, 220
_COLOURS = ("#0a6b54", "#a34f00", "#2b5fa8", "#7a4a9c", "#5c6068", "#8a2846")
_SIGNIFICANT = ".3s"


def draw(rows: Sequence[PublishedRow]) -> str | None:
    """Energy per output (if it was measured) and throughput over the batch size, as SVG on white.

    Returns None if there are no rows with a figure.
    """
    unit = next((row.output_unit for row in rows), "")
    drawn = [
        panel
        for name, title in (
            ("energy_per_output_joules", f"energy, J per {unit}"),
            ("throughput_per_second", f"throughput, {unit}s per second"),
        )
        if (panel := _panel([row for row in rows if row.output_unit == unit], name, title)) is not None
    ]
    if not drawn:
        return None
    import altair as alt
    import vl_convert

    chart = alt.hconcat(*drawn).configure(
        font="Arial, Helvetica, sans-serif",
        background="white",
        padding=12,
    )
    return str(vl_convert.vegalite_to_svg(chart.configure_legend(labelLimit=420, orient="bottom").to_dict()))


def _panel(rows: Sequence[PublishedRow], name: str, title: str) -> Any:
    """One quantity; None if no row has it."""
    values = [
        {"batch_size": row.batch_size, "value": value, "series": row.series}
        for row in rows
        if (value := getattr(row, name)) is not None
    ]
    if not values:
        return None
    import altair as alt

    sizes = sorted({value["batch_size"] for value in values})
    series = sorted({value["series"] for value in values})
    base = alt.Chart(alt.Data(values=values), width=WIDTH, height=HEIGHT)
    return base.mark_line(point=True).encode(
        x=alt.X("batch_size:Q", title="batch size").scale(type="log", base=2).axis(values=sizes, format="d"),
        y=alt.Y("value:Q", title=title).axis(format=_SIGNIFICANT).scale(zero=True),
        color=alt.Color("series:N", title=None)
        .scale(domain=series, range=list(_COLOURS))
        .legend(columns=1, symbolLimit=len(_COLOURS)),
    )
