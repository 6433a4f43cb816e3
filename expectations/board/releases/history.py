"""The energy of configurations over the releases of their runtime: a panel per configuration.

The change against the first release is drawn and not the energy itself: it is measured on the GPUs that both
releases share, where the means of a row would compare other GPUs, too. The specification is written as
Vega-Lite itself and not through Altair, which spends half a second on each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from expectations.board.reading.figures import theme
from expectations.pages.drawings import svg_of_vega_lite
from expectations.pages.numbers import exact_per_cent
from expectations.sql import Row

NAME = "release_history"
TITLE = "Energy per output over the releases of a runtime"
NEEDS = "one configuration under two releases of its runtime"
PANELS = 12
"""Panels of the figure: configurations with most releases come first. The mart has all."""

_COLUMNS, _WIDTH, _HEIGHT = 3, 250, 170
_PER_CENT = 100
_MARGIN = 0.12
"""Room above and below the points, as a share of their range."""
_AXIS = {
    "labelColor": theme.SOFT,
    "titleColor": theme.SOFT,
    "gridColor": theme.LINE,
    "tickColor": theme.SOFT,
    "domainColor": theme.SOFT,
    "labelFontSize": 12,
    "titleFontSize": 12.5,
    "titleFontWeight": "normal",
}
_CONFIRMED, _OTHER = "var(--series-2)", theme.INK

Spec = dict[str, Any]


def svg(rows: Sequence[Row], tasks: Mapping[str, str]) -> str | None:
    """The figure as SVG for the page; None without a configuration that has two releases with energy."""
    panels = panels_of(rows, tasks)
    if not panels:
        return None
    return theme.unsized(svg_of_vega_lite(specification(panels)))


@dataclass(frozen=True)
class Panel:
    """One configuration.

    points: of the releases that share a GPU with the first one. releases: all with energy, in order.
    """

    heading: str
    points: Sequence[Row]
    releases: Sequence[str]


def panels_of(rows: Sequence[Row], tasks: Mapping[str, str]) -> list[Panel]:
    """The panels of the figure.

    rows: of `history.sql`, the rows of one configuration together and in the order of the releases.
    """
    panels = []
    for _, group in groupby(rows, key=lambda row: row["series_id"]):
        history = [row for row in group if row["energy_per_output_joules"] is not None]
        drawn = [_point(row) for row in history if _change(row) is not None]
        if len(drawn) > 1:
            names = [row["runtime_version"] for row in history]
            panels.append(Panel(_heading(history[0], tasks), drawn, names))
    return panels[:PANELS]


def specification(panels: Sequence[Panel]) -> Spec:
    """The Vega-Lite specification: all panels have the same axis of energy."""
    every = [point[name] for panel in panels for point in panel.points for name in ("low", "change", "high")]
    ends = [value for value in every if value is not None]
    room = _MARGIN * (max(ends) - min(ends) or 1)
    domain = [min(ends) - room, max(ends) + room]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "background": "transparent",
        "columns": _COLUMNS,
        "concat": [_panel(panel, domain) for panel in panels],
        "config": {
            "font": "Arial, Helvetica, sans-serif",
            "view": {"stroke": None},
            "axis": _AXIS,
            "title": {"anchor": "start", "color": theme.INK, "fontSize": 12.5, "subtitleColor": theme.SOFT},
        },
    }


def _panel(panel: Panel, domain: Sequence[float]) -> Spec:
    model, _, rest = panel.heading.partition(", ")
    x = {
        "field": "release",
        "type": "ordinal",
        "sort": None,
        "scale": {"domain": list(panel.releases)},
        "axis": {"title": None, "labelAngle": -30},
    }
    y = {
        "type": "quantitative",
        "scale": {"domain": list(domain), "nice": False},
        "axis": {"title": "Against the first release, %", "format": "+~r"},
    }
    colour = {"field": "colour", "type": "nominal", "scale": None}
    return {
        "title": {"text": model, "subtitle": rest},
        "width": _WIDTH,
        "height": _HEIGHT,
        "data": {"values": list(panel.points)},
        "layer": [
            {
                "mark": {"type": "line", "color": theme.LINE, "strokeWidth": 2},
                "encoding": {"x": x, "y": {"field": "change", **y}},
            },
            {
                "mark": {"type": "rule", "strokeWidth": 2},
                "encoding": {"x": x, "y": {"field": "low", **y}, "y2": {"field": "high"}, "color": colour},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1},
                "encoding": {
                    "x": x,
                    "y": {"field": "change", **y},
                    "color": colour,
                    "shape": {"field": "shape", "type": "nominal", "scale": None},
                },
            },
            {
                "mark": {"type": "text", "dx": 8, "align": "left", "fontSize": 12},
                "encoding": {
                    "x": x,
                    "y": {"field": "change", **y},
                    "color": colour,
                    "text": {"field": "label", "type": "nominal"},
                },
            },
        ],
    }


def _change(row: Row) -> float | None:
    """Change against the first release, as a share; 0 of the first release itself."""
    if row["energy_per_output_joules"] is None:
        return None
    return 0.0 if row["first_runtime_version"] is None else row["energy_change_since_first"]


def _point(row: Row) -> Row:
    confirmed, contested = (row["confirmation"] == word for word in ("confirmed", "contested"))
    low, high = row["energy_change_since_first_low"], row["energy_change_since_first_high"]
    return {
        "release": row["runtime_version"],
        "change": _PER_CENT * (_change(row) or 0.0),
        "low": None if low is None else _PER_CENT * low,
        "high": None if high is None else _PER_CENT * high,
        "joules": row["energy_per_output_joules"],
        "colour": _CONFIRMED if confirmed else _OTHER,
        "shape": "diamond" if confirmed else "circle",
        "label": exact_per_cent(row["energy_change"]) if confirmed else "contested" if contested else "",
    }


def _heading(row: Row, tasks: Mapping[str, str]) -> str:
    return (
        f"{row['nickname']}, {tasks.get(row['task'], row['task'])}, {row['num_gpus']}x {row['gpu_model']},"
        f" batch {row['batch_size']}, {row['weights'] or 'unknown'} weights"
    )
