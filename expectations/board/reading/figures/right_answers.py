"""Accuracy against energy per right answer, one point per configuration, with both intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from expectations.board.reading.figures import theme

if TYPE_CHECKING:
    import pandas as pd

ENDS = (0.1, 0.2, 0.5, 1.0)
"""Where the axis of accuracy can end: 100 %, or earlier where no interval reaches farther."""


def draw(rows: pd.DataFrame, tasks: Mapping[str, str], layout: theme.Layout) -> Any:
    """Points of the questions that the reader chose; the first of a model on a GPU model has its name."""
    import altair as alt

    rows = rows.assign(
        choice=[f"{row.questions_name}, {tasks.get(row.task, row.task)}" for row in theme.records(rows)]
    )
    choice = theme.Choice.among(rows, "choice", "Questions")
    full = next(end for end in ENDS if end >= rows["accuracy_high"].max())
    first = ~rows.duplicated(["choice", "nickname", "gpu_model", "num_gpus", "weights"])
    rows = rows.assign(
        label=[
            layout.broken(f"{row.nickname}, batch {row.batch_size}", 18)
            if named
            else f"batch {row.batch_size}"
            for row, named in zip(theme.records(rows), first, strict=True)
        ],
        side=(rows["accuracy"] < full / 2).map({True: "right", False: "left"}),
    )
    gpu_models = list(dict.fromkeys(rows["gpu_model"]))
    base = alt.Chart(
        rows,
        title=layout.title_of(choice.control.parameter, 600),
        width=layout.width if layout.is_narrow else 690,
        height=330,
    ).transform_filter(choice.is_chosen)
    x = (
        alt.X("accuracy:Q")
        .scale(domain=[0, full], nice=False)
        .axis(title="Accuracy, with 95 % interval", format="%", tickCount=5)
    )
    y = theme.logarithmic_of_choice(
        alt.Y("energy_per_correct_answer_joules:Q"), "Energy per right answer, J, with 95 % interval"
    )
    colour = theme.series_colour(
        "gpu_model", gpu_models, [theme.gpu_colour(gpu_model) for gpu_model in gpu_models], symbolOpacity=1
    )
    across = (
        base.mark_rule(opacity=0.5)
        .encode(x=x, x2="accuracy_high:Q", y=y, color=colour)
        .transform_calculate(accuracy="datum.accuracy_low")
    )
    along = (
        base.mark_rule(opacity=0.5)
        .encode(
            x=x,
            y=alt.Y("energy_per_correct_answer_low_joules:Q"),
            y2="energy_per_correct_answer_high_joules:Q",
            color=colour,
        )
        .transform_filter("isValid(datum.energy_per_correct_answer_low_joules)")
    )
    points = base.mark_point(filled=True, size=90, opacity=1).encode(
        x=x,
        y=y,
        color=colour,
        tooltip=[
            alt.Tooltip("nickname:N", title="Model"),
            alt.Tooltip("weights:N", title="Weights"),
            alt.Tooltip("gpu_model:N", title="GPU model"),
            alt.Tooltip("num_gpus:Q", title="GPUs"),
            alt.Tooltip("batch_size:Q", title="Batch size"),
            alt.Tooltip("questions:Q", title="Questions"),
            alt.Tooltip("accuracy:Q", title="Accuracy", format=".1%"),
            alt.Tooltip("chance:Q", title="Chance", format=".0%"),
            alt.Tooltip("energy_per_answer_joules:Q", title="Energy per answer, J", format=",.3~r"),
            alt.Tooltip(
                "energy_per_correct_answer_joules:Q", title="Energy per right answer, J", format=",.3~r"
            ),
        ],
    )
    layers = across + along + points
    sides: tuple[tuple[str, Literal["left", "right"], int], ...] = (
        ("right", "left", 9),
        ("left", "right", -9),
    )
    for side, align, dx in sides:
        layers += (
            base.transform_filter(alt.datum.side == side)
            .mark_text(align=align, dx=dx, dy=-10, fontSize=12, color=theme.INK, lineBreak=theme.LINE_BREAK)
            .encode(x=x, y=y, text="label:N")
        )
    return layers.add_params(choice.parameter).properties(usermeta=theme.controls(choice.control))
