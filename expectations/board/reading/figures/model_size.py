"""Labelled points: energy per token over activated parameters, dense and mixture of experts told apart."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from expectations.board.reading.figures import theme

if TYPE_CHECKING:
    import pandas as pd

KINDS = {"dense": "dense", "moe": "mixture of experts"}


def draw(rows: pd.DataFrame, tasks: Mapping[str, str], layout: theme.Layout) -> Any:
    """A point per model with its name and number of GPUs."""
    import altair as alt

    rows = rows.assign(
        choice=[
            f"{row.family}, {tasks.get(row.task, row.task)}, {row.gpu_model}" for row in theme.records(rows)
        ]
    )
    choice = theme.Choice.among(rows, "choice", "Family")
    middle = 0.55 * rows.groupby("choice")["activated_params_billions"].transform("max")
    rows = rows.assign(
        kind=rows["parameter_use"].map(KINDS),
        label=[
            layout.broken(f"{row.nickname} ({row.num_gpus} GPU{'s' if row.num_gpus > 1 else ''})", 18)
            for row in theme.records(rows)
        ],
        side=(rows["activated_params_billions"] < middle).map({True: "right", False: "left"}),
        above=rows.groupby("choice").cumcount() % 2 == 0,
    )
    names = [KINDS[kind] for kind in ("dense", "moe") if kind in set(rows["parameter_use"])]
    title = alt.Title(alt.expr(f"{choice.control.parameter} + ', BF16'"))
    x = alt.X("activated_params_billions:Q", title="Activated parameters, billions")
    y = alt.Y("energy_per_token_joules:Q", title="Energy per token, J")
    largest = choice.most(rows, "activated_params_billions", 1.12)
    most = choice.most(rows, "energy_per_token_joules", 1.15)
    base = (
        alt.Chart(rows, title=title, width=layout.width if layout.is_narrow else 690, height=330)
        .transform_filter(choice.is_chosen)
        .encode(
            x=x.scale(domainMin=0, domainMax=largest, nice=False),
            y=y.scale(domainMin=0, domainMax=most, nice=False),
        )
    )
    colour = theme.series_colour("kind", names)
    points = base.mark_point(filled=True, size=120, opacity=1).encode(
        color=colour,
        shape=alt.Shape("kind:N", legend=None),
        tooltip=[
            alt.Tooltip("nickname:N", title="Model"),
            alt.Tooltip("total_params_billions:Q", title="Parameters, billions"),
            alt.Tooltip("activated_params_billions:Q", title="Activated, billions"),
            alt.Tooltip("energy_per_token_joules:Q", title="Energy per token, J", format=",.3~r"),
            alt.Tooltip("num_gpus:Q", title="GPUs"),
            alt.Tooltip("batch_size:Q", title="Batch size"),
        ],
    )
    layers = points
    sides: tuple[tuple[str, Literal["left", "right"], int], ...] = (
        ("right", "left", 9),
        ("left", "right", -9),
    )
    for (side, align, dx), above in itertools.product(sides, (True, False)):
        layers += (
            base.transform_filter((alt.datum.side == side) & (alt.datum.above == above))
            .mark_text(
                align=align,
                dx=dx,
                dy=-11 if above else 12,
                fontSize=12,
                color=theme.INK,
                lineBreak=theme.LINE_BREAK,
            )
            .encode(text="label:N")
        )
    return layers.add_params(choice.parameter).properties(usermeta=theme.controls(choice.control))
