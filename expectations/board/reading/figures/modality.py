"""Bars of energy per token by modality; beside them batch size and KV-cache use of one pair of siblings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from expectations.board.reading.figures import theme

if TYPE_CHECKING:
    import pandas as pd

ORDER = ("text", "image", "video", "audio")


def draw(rows: pd.DataFrame, tasks: Mapping[str, str], layout: theme.Layout) -> Any:
    """Models by the energy of their text sibling; each bar says its value."""
    del tasks
    choice = theme.Choice.among(rows, "gpu_model", "GPU model")
    panels = [_bars(rows, choice, layout), _sizes(rows[rows["is_case"]], choice, layout)]
    joined = layout.join(panels, usermeta=theme.controls(choice.control))
    return joined.resolve_scale(color="independent", y="independent")


def _bars(rows: pd.DataFrame, choice: theme.Choice, layout: theme.Layout) -> Any:
    import altair as alt

    rows = rows.assign(
        label=[
            f"{row.nickname}, {row.num_gpus} GPU{'s' if row.num_gpus > 1 else ''}"
            if not layout.is_narrow
            else layout.broken(row.nickname)
            for row in theme.records(rows)
        ],
        value=[f"{theme.significant(row.energy_per_token_joules)}" for row in theme.records(rows)],
    )
    text = rows[rows["modality"] == "text"].set_index(["gpu_model", "label"])["energy_per_token_joules"]
    rows = rows.assign(
        of_text=[text.get(key, 0) for key in zip(rows["gpu_model"], rows["label"], strict=True)]
    )
    order = alt.EncodingSortField(field="of_text", op="max", order="ascending")
    kinds = [kind for kind in ORDER if kind in set(rows["modality"])]
    axis = alt.Axis(domain=False, ticks=False, labelLimit=260, labelExpr=theme.LINES)
    width = layout.width - 90 if layout.is_narrow else 315
    title = alt.Title(alt.expr(f"'Energy per token, ' + {choice.control.parameter}"))
    largest = choice.most(rows, "energy_per_token_joules", 1.2)
    base = (
        alt.Chart(rows, width=width, height=alt.Step(17), title=title)
        .transform_filter(choice.is_chosen)
        .encode(
            y=alt.Y("label:N", sort=order, title=None).axis(axis),
            yOffset=alt.YOffset("modality:N", sort=kinds),
            x=alt.X("energy_per_token_joules:Q", title="Energy per token, J")
            .scale(domainMin=0, domainMax=largest, nice=False)
            .axis(tickCount=5),
        )
    )
    bars = base.mark_bar().encode(
        color=theme.series_colour("modality", kinds, symbolType="square"), tooltip=_tooltip()
    )
    values = base.mark_text(align="left", dx=4, fontSize=11.5, color=theme.SOFT).encode(text="value:N")
    return (bars + values).add_params(choice.parameter)


def _sizes(rows: pd.DataFrame, choice: theme.Choice, layout: theme.Layout) -> Any:
    """Two lines on two axes; without KV-cache use one, and a note that says so."""
    import altair as alt

    pairs = {
        row.gpu_model: " and ".join(dict.fromkeys([row.text_nickname, row.nickname]))
        + f", {row.num_gpus}x {row.gpu_model}"
        for row in theme.records(rows.drop_duplicates("gpu_model"))
    }
    on = choice.value_of({gpu: ["Batch size and KV-cache use", pair] for gpu, pair in pairs.items()})
    title = alt.Title(on, fontSize=12)
    kinds = [kind for kind in ORDER if kind in set(rows["modality"])]
    has_usage = rows.groupby("gpu_model")["mean_kv_cache_usage"].transform("count") > 0
    sizes, uses = theme.SERIES_COLOURS[2:4]
    width = layout.width - 40 if layout.is_narrow else 210
    base = (
        alt.Chart(rows, width=width, height=230, title=title)
        .transform_filter(choice.is_chosen)
        .encode(
            x=alt.X("modality:N", sort=kinds, title=None).axis(labelAngle=0, ticks=False), tooltip=_tooltip()
        )
    )
    batch = base.encode(
        y=alt.Y("batch_size:Q", title="Batch size")
        .scale(domainMin=0, domainMax=choice.most(rows, "batch_size", 1.1), nice=False)
        .axis(titleColor=sizes)
    )
    lines = batch.mark_line(color=sizes, strokeWidth=2) + batch.mark_circle(color=sizes, size=64, opacity=1)
    if not has_usage.all():
        without = rows[~has_usage].drop_duplicates("gpu_model")
        note = (
            alt.Chart(without)
            .transform_filter(choice.is_chosen)
            .mark_text(
                text=["KV-cache use is not", "in this source"], color=theme.SOFT, fontSize=12, align="right"
            )
        )
        lines += note.encode(x=alt.value(width - 4), y=alt.value(20))
    if not has_usage.any():
        return lines
    usage = base.encode(
        y=alt.Y("mean_kv_cache_usage:Q", title="KV-cache use")
        .scale(domain=[0, 1])
        .axis(format="%", titleColor=uses, grid=False)
    )
    used = usage.mark_line(color=uses, strokeWidth=2, strokeDash=[6, 3]) + usage.mark_square(
        color=uses, size=64, opacity=1
    )
    return alt.layer(lines, used).resolve_scale(y="independent")


def _tooltip() -> list[Any]:
    import altair as alt

    return [
        alt.Tooltip("nickname:N", title="Model"),
        alt.Tooltip("modality:N", title="Input"),
        alt.Tooltip("energy_per_token_joules:Q", title="Energy per token, J", format=",.3~r"),
        alt.Tooltip("batch_size:Q", title="Batch size"),
        alt.Tooltip("mean_kv_cache_usage:Q", title="KV-cache use", format=".1%"),
    ]
