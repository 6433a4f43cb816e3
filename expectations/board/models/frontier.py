"""A model on one task: latency against energy, a line per GPU model and number of GPUs.

The specification is written as Vega-Lite itself and not through Altair, which spends half a second on each:
a publication has one such figure per model, task and source.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from expectations.board.reading.figures import theme
from expectations.pages.drawings import svg_of_vega_lite
from expectations.sql import Row

WIDTH, HEIGHT = 820, 340
DASHES = ([1, 0], [7, 4], [3, 3], [9, 3, 2, 3])
"""How lines of one GPU model differ, from fewest GPUs to most."""
_NAME = (56, 14)
"""Room for the name of a line, pixels."""
_LABELLED = 32
"""With more points than these on the lines, only those on the frontier say their batch size."""

Spec = dict[str, Any]


def svg(rows: Sequence[Row], unit: str, scale: tuple[float, str] = (1.0, "J")) -> str:
    """The figure as SVG for the page, in the colours of its style sheet."""
    return theme.unsized(svg_of_vega_lite(specification(rows, unit, scale)))


def points(rows: Iterable[Row]) -> list[Row]:
    """The rows with energy and latency, with what the figure needs of each.

    Lines join only rows that may be compared: those of the largest such group. Where a GPU model and number
    of GPUs has several of one batch size (parallelism), the line goes through the one that takes least.
    """
    rows = list(rows)
    groups = Counter(row["frontier_id"] for row in rows if row["frontier_id"] is not None)
    main = max(groups, key=lambda group: (groups[group], group), default=None)
    chosen: dict[tuple[str, int], Row] = {}
    kept = [
        {
            "series": f"{row['num_gpus']}x {row['gpu_model']}",
            "colour": theme.gpu_colour(row["gpu_model"]),
            "gpus": row["num_gpus"],
            "batch_size": row["batch_size"],
            "latency": _latency(row),
            "joules": row["energy_per_output_joules"],
            "comparable": row["frontier_id"] == main,
            "on_frontier": bool(row["is_on_frontier"]) and row["frontier_id"] == main,
        }
        for row in rows
        if row["energy_per_output_joules"] and _latency(row)
    ]
    for point in kept:
        key = (point["series"], point["batch_size"])
        if not point["comparable"]:
            continue
        if key not in chosen or point["joules"] < chosen[key]["joules"]:
            chosen[key] = point
    for point in kept:
        point["on_line"] = chosen.get((point["series"], point["batch_size"])) is point
    return kept


def specification(rows: Sequence[Row], unit: str, scale: tuple[float, str] = (1.0, "J")) -> Spec:
    """The Vega-Lite specification.

    unit: what one output is, for example `token`. scale: factor from joules, and the unit that it gives.
    """
    factor, energy_unit = scale
    data = [{**point, "energy": point["joules"] * factor} for point in points(rows)]
    lines = [point for point in data if point["on_line"]]
    front = sorted((point for point in data if point["on_frontier"]), key=lambda point: point["latency"])
    token = unit == "token"
    x = _axis("latency", data, "Median inter-token latency, ms" if token else "Batch latency, s")
    y = _axis("energy", data, f"Energy per {unit}, {energy_unit}")
    place = {"x": x, "y": y}
    colour = {"field": "colour", "type": "nominal", "scale": None}
    quiet = len(lines) > _LABELLED
    sizes = [point for point in lines if point["on_frontier"] or not quiet]
    dash = {
        "field": "series",
        "type": "nominal",
        "legend": None,
        "scale": {"domain": list(_dashes(lines)), "range": list(_dashes(lines).values())},
    }
    layers = [
        _layer(
            front,
            {"type": "line", "strokeWidth": 14, "opacity": 0.14, "color": theme.INK, "strokeCap": "round"},
            {**place, "order": {"field": "latency", "type": "quantitative"}},
        ),
        _layer(
            lines,
            {"type": "line", "strokeWidth": 1.8},
            {
                **place,
                "color": colour,
                "detail": {"field": "series", "type": "nominal"},
                "order": {"field": "batch_size", "type": "quantitative"},
                "strokeDash": dash,
            },
        ),
        _layer(
            data,
            {"type": "circle", "size": 44},
            {**place, "color": colour, "opacity": _strength(1, 0.4)},
        ),
        _layer(
            sizes,
            {"type": "text", "dx": -7, "dy": 9, "align": "right", "fontSize": 10.5},
            {**place, "text": {"field": "batch_size"}, "color": {"value": theme.SOFT}},
        ),
        _layer(
            _names(lines, x, y),
            {"type": "text", "dx": 9, "dy": -9, "align": "left", "fontSize": 12.5, "fontWeight": "bold"},
            {"x": x, "y": {**y, "field": "height"}, "text": {"field": "series"}, "color": colour},
        ),
    ]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": WIDTH,
        "height": HEIGHT,
        "background": "transparent",
        "config": theme.config(),
        "layer": layers,
    }


def _latency(row: Row) -> float | None:
    latency: float | None = row["median_itl_ms"]
    return row["batch_latency_seconds"] if latency is None else latency


def _axis(field: str, data: Sequence[Row], title: str) -> Spec:
    domain, ticks = theme.log_axis([point[field] for point in data])
    return {
        "field": field,
        "type": "quantitative",
        "scale": {"type": "log", "domain": domain, "nice": False},
        "axis": {"values": ticks, "title": f"{title} (log scale)", "format": "~g"},
    }


def _layer(values: Sequence[Row], mark: Spec, encoding: Spec) -> Spec:
    # Without a label of its own each mark would say its numbers again; the table below the figure has them.
    return {"data": {"values": list(values)}, "mark": {"aria": False, **mark}, "encoding": encoding}


def _strength(on: float, off: float) -> Spec:
    return {"condition": {"test": "datum.on_frontier", "value": on}, "value": off}


def _dashes(lines: Sequence[Row]) -> dict[str, list[int]]:
    counts = sorted({point["gpus"] for point in lines})
    return {
        point["series"]: list(DASHES[min(counts.index(point["gpus"]), len(DASHES) - 1)]) for point in lines
    }


def _names(lines: Sequence[Row], x: Spec, y: Spec) -> list[Row]:
    """The name of each line, where the line begins: at its smallest batch size.

    height: where the name stands on the axis of energy, above the names that it would cover.
    """
    first: dict[str, Row] = {}
    for point in lines:
        if point["series"] not in first or point["batch_size"] < first[point["series"]]["batch_size"]:
            first[point["series"]] = point
    placed: list[tuple[float, float]] = []
    named = []
    for point in sorted(first.values(), key=lambda point: (point["latency"], point["series"])):
        across = WIDTH * _share(point["latency"], x)
        up = HEIGHT * _share(point["energy"], y)
        while any(abs(across - left) < _NAME[0] and abs(up - low) < _NAME[1] for left, low in placed):
            up += _NAME[1]
        placed.append((across, up))
        low, high = y["scale"]["domain"]
        named.append({**point, "height": low * (high / low) ** min(up / HEIGHT, 1.0)})
    return named


def _share(value: float, axis: Spec) -> float:
    """Where a value lies on a logarithmic axis: 0 at its beginning, 1 at its end."""
    low, high = axis["scale"]["domain"]
    return math.log(value / low) / math.log(high / low)
