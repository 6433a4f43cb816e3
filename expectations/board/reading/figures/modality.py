"""Grouped bars: energy per token by modality, a group per family member."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from expectations.board.reading.figures import theme

if TYPE_CHECKING:
    import pandas as pd

ORDER = ("text", "image", "video", "audio")


def draw(rows: pd.DataFrame, tasks: Mapping[str, str]) -> Any:
    """Models by the energy of their text sibling; each bar says its value."""
    import altair as alt

    del tasks
    rows = rows.sort_values("energy_per_token_joules").drop_duplicates(["nickname", "modality"])
    rows = rows.assign(
        label=[
            f"{row.nickname}, {row.num_gpus} GPU{'s' if row.num_gpus > 1 else ''}"
            for row in theme.records(rows)
        ],
        value=[f"{theme.significant(row.energy_per_token_joules)}" for row in theme.records(rows)],
    )
    text = rows[rows["modality"] == "text"].set_index("label")["energy_per_token_joules"]
    order = sorted(rows["label"].unique(), key=lambda label: text.get(label, 0))
    kinds = [kind for kind in ORDER if kind in set(rows["modality"])]
    base = alt.Chart(rows, width=690, height=alt.Step(17)).encode(
        y=alt.Y("label:N", sort=order, title=None).axis(domain=False, ticks=False),
        yOffset=alt.YOffset("modality:N", sort=kinds),
        x=alt.X("energy_per_token_joules:Q", title="Energy per token, J").scale(
            domain=[0, rows["energy_per_token_joules"].max() * 1.1], nice=False
        ),
    )
    colour = theme.series_colour("modality", kinds, symbolType="square")
    return base.mark_bar().encode(color=colour) + base.mark_text(
        align="left", dx=4, fontSize=11.5, color=theme.SOFT
    ).encode(text="value:N")
