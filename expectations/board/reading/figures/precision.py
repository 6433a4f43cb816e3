"""Two panels over the batch size, FP8 and BF16 as lines; where the sign changes, a rule."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from expectations.board.reading.figures import theme

if TYPE_CHECKING:
    import pandas as pd

PANELS = (
    ("energy_per_output_joules", "energy_change", "Energy per token, J"),
    ("median_itl_ms", "latency_change", "Median inter-token latency, ms"),
)
COLOURS = {"BF16": "var(--series-2)", "FP8": "var(--series-1)"}


def draw(rows: pd.DataFrame, tasks: Mapping[str, str]) -> Any:
    """One model at the same batch sizes in both precisions."""
    import altair as alt

    return alt.hconcat(*(_panel(rows, *panel, tasks=tasks) for panel in PANELS))


def _panel(rows: pd.DataFrame, field: str, change: str, title: str, *, tasks: Mapping[str, str]) -> Any:
    import altair as alt
    import pandas as pd

    first = rows.iloc[0]
    lines = pd.concat(
        rows.assign(value=rows[f"{name.lower()}_{field}"], precision=name)[
            ["batch_size", "value", "precision"]
        ]
        for name in COLOURS
    )
    heading = f"{first.nickname}, {tasks.get(first.task, first.task)}, {first.num_gpus}x {first.gpu_model}"
    colour = theme.series_colour("precision", list(COLOURS), list(COLOURS.values()))
    base = alt.Chart(lines, title=heading, width=385, height=270).encode(
        x=theme.batch_axis(rows),
        y=theme.logarithmic(alt.Y("value:Q"), list(lines["value"]), title),
        color=colour,
        shape=alt.Shape("precision:N", legend=None),
        order="batch_size:Q",
    )
    chart = base.mark_line(strokeWidth=2) + base.mark_point(filled=True, size=55, opacity=1)
    for size in crossovers(rows, change):
        chart += (
            alt.Chart(pd.DataFrame({"batch_size": [size]}))
            .mark_rule(color=theme.SOFT, strokeDash=[5, 4])
            .encode(x=theme.batch_axis(rows))
        )
    return chart


def crossovers(rows: pd.DataFrame, change: str) -> list[int]:
    """Batch sizes from which on the sign of the change differs from the one before."""
    signs = [(row["batch_size"], row[change] < 0) for _, row in rows.sort_values("batch_size").iterrows()]
    return [int(size) for (_, before), (size, after) in itertools.pairwise(signs) if before != after]
