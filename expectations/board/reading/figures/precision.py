"""Two panels over the batch size, FP8 and BF16 as lines; where the sign changes, a rule."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from expectations.board.reading.figures import theme

if TYPE_CHECKING:
    import pandas as pd

HEIGHT = 270
PANELS = (
    ("energy_per_output_joules", "energy_change", "Energy per token, J", 12),
    ("median_itl_ms", "latency_change", "Median inter-token latency, ms", HEIGHT - 12),
)
"""Field, its change, title, and where the text at a rule is free of the lines, which fall and rise."""
COLOURS = {"BF16": "var(--series-2)", "FP8": "var(--series-1)"}


def draw(rows: pd.DataFrame, tasks: Mapping[str, str], layout: theme.Layout) -> Any:
    """One model at the same batch sizes in both precisions. The reader chooses the series."""
    rows = rows.assign(series=theme.series_names(rows, tasks))
    names = list(dict.fromkeys(rows["series"]))
    control = theme.Control("series", "Series", tuple((name, name) for name in sorted(names)))
    panels = [_panel(rows, *panel, chosen=control.chosen(names[0]), layout=layout) for panel in PANELS]
    return layout.join(panels, usermeta=theme.controls(control))


def _panel(
    rows: pd.DataFrame,
    field: str,
    change: str,
    title: str,
    text_at: int,
    *,
    chosen: Any,
    layout: theme.Layout,
) -> Any:
    import altair as alt
    import pandas as pd

    lines = pd.concat(
        rows.assign(
            value=rows[f"{name.lower()}_{field}"],
            precision=name,
            change=rows[change],
            version=rows[f"{name.lower()}_runtime_version"],
            gpus=rows["on_same_gpus"].map({True: "the same", False: "others"}),
        )[["series", "batch_size", "value", "precision", "change", "version", "gpus"]]
        for name in COLOURS
    )
    heading = layout.title_of(chosen.name, layout.panel(400) + 30)
    colour = theme.series_colour("precision", list(COLOURS), list(COLOURS.values()))
    base = (
        alt.Chart(lines, title=heading, width=layout.panel(375), height=HEIGHT)
        .transform_filter(f"datum.series == {chosen.name}")
        .encode(
            x=theme.batch_axis_of_choice(),
            y=theme.logarithmic_of_choice(alt.Y("value:Q"), title),
            color=colour,
            order="batch_size:Q",
        )
    )
    crossed = (
        alt.Chart(_crossovers(rows, change))
        .transform_filter(f"datum.series == {chosen.name}")
        .encode(x=theme.batch_axis_of_choice())
    )
    rules = crossed.mark_rule(color=theme.SOFT, strokeDash=[5, 4]) + crossed.mark_text(
        align="right", dx=-5, y=text_at, color=theme.SOFT
    ).encode(text="less:N")
    points = base.mark_point(filled=True, size=60, opacity=1).encode(
        shape=alt.Shape("precision:N", legend=None),
        tooltip=[
            alt.Tooltip("precision:N", title="Precision"),
            alt.Tooltip("batch_size:Q", title="Batch size"),
            alt.Tooltip("value:Q", title=title, format=",.3~r"),
            alt.Tooltip("change:Q", title="FP8 against BF16", format="+.1%"),
            alt.Tooltip("version:N", title="Version of the runtime"),
            alt.Tooltip("gpus:N", title="GPUs of both precisions"),
        ],
    )
    return (rules + base.mark_line(strokeWidth=2) + points).add_params(chosen)


def _crossovers(rows: pd.DataFrame, change: str) -> pd.DataFrame:
    import pandas as pd

    found = [
        (name, size, f"from here {precision} has less")
        for name, part in rows.groupby("series")
        for size, precision in crossovers(part, change)
    ]
    return pd.DataFrame(found, columns=["series", "batch_size", "less"])


def crossovers(rows: pd.DataFrame, change: str) -> list[tuple[int, str]]:
    """Batch sizes from which on the sign of the change differs, and which precision then has less."""
    known = rows.dropna(subset=[change]).sort_values("batch_size")
    signs = [(int(row["batch_size"]), "FP8" if row[change] < 0 else "BF16") for _, row in known.iterrows()]
    return [after for before, after in itertools.pairwise(signs) if before[1] != after[1]]
