"""Power, energy per request and latency of a setup over the rate at which requests arrive.

A figure per setup, drawn without a script: one for wide and one for narrow screens. The specification is
written as Vega-Lite itself and not through Altair, which spends half a second on each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from expectations.board.reading.figures import theme
from expectations.pages.drawings import svg_of_vega_lite
from expectations.pages.names import runtime_title
from expectations.pages.numbers import energy, number, trimmed
from expectations.sql import Row

NAME = "energy_under_load"
SHOWN = 12
"""Setups whose curves the page draws; the mart and the CSV have all."""
_WIDE, _NARROW, _HEIGHT = 370, 270, 185
_NOT_SUSTAINED, _SUSTAINED = "cross", "circle"
_ROOM = 1.08
"""From the largest value to the end of its axis."""
_ABOVE = 1.25
"""From a ceiling, or the largest power, to the end of its axis: room for words."""
_PERCENTILES = ("50", "99")
_POISSON = 1.0

Spec = dict[str, Any]


@dataclass(frozen=True)
class Curve:
    """One setup under arrivals of one burstiness.

    loads: its rows of `energy_under_load`, rate 0 included where it was measured, by rising rate.
    capacities: its rows of `serving_capacity`, that of its task's objective first.
    """

    loads: tuple[Row, ...]
    capacities: tuple[Row, ...]

    @property
    def setup(self) -> Row:
        """A row with what all of its loads share."""
        return self.loads[-1]

    @property
    def capacity(self) -> Row | None:
        """What it carries under its task's objective."""
        return next((row for row in self.capacities if row["is_default"]), None)

    @property
    def stem(self) -> str:
        """Name of its files without their ending."""
        return f"load-{self.setup['server_setup_id'][:16]}-{self.setup['burstiness']:g}"

    def heading(self, tasks: Mapping[str, str]) -> str:
        """Model, task and where it ran. tasks: display name by task."""
        row = self.setup
        where = f"{row['num_gpus']}x {row['gpu_model']}" if row["num_gpus"] else "no GPU"
        return f"{row['nickname']}, {tasks.get(row['task'], row['task'])}, {where}"

    @property
    def conditions(self) -> str:
        """What else sets it apart from other curves."""
        row = self.setup
        arrivals = "Poisson" if row["burstiness"] == _POISSON else f"gamma, burstiness {row['burstiness']:g}"
        runtime = f"{runtime_title(row['runtime'])} {row['runtime_version']}"
        return (
            f"{runtime}, at most {row['batch_size']:,} requests at once,"
            f" {row['weights'] or 'unknown'} weights, {arrivals} arrivals"
        )


def curves(loads: Sequence[Row], capacities: Sequence[Row]) -> list[Curve]:
    """The curves of rows of `loads.sql` and `capacities.sql`."""
    by_curve = {key: tuple(rows) for key, rows in groupby(capacities, key=_curve_of)}
    return [Curve(tuple(rows), by_curve.get(key, ())) for key, rows in groupby(loads, key=_curve_of)]


def in_words(curve: Curve) -> str:
    """What the curve says: the highest load within the objective, what it takes there, and idle power."""
    capacity = curve.capacity
    if capacity is None:
        return ""
    return " ".join(filter(None, [_highest_in_words(capacity), _idle_in_words(capacity)]))


def svg(curve: Curve, *, narrow: bool = False) -> str:
    """The figure as SVG for the page, in the colours of its style sheet."""
    return theme.unsized(svg_of_vega_lite(specification(curve, narrow=narrow)))


def specification(curve: Curve, *, narrow: bool = False) -> Spec:
    """The Vega-Lite specification: a panel per quantity that was measured. narrow: below each other."""
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "columns": 1 if narrow else 2,
        "concat": [_sized(panel, narrow=narrow) for panel in _panels(curve)],
        "config": theme.config(),
    }


def _highest_in_words(capacity: Row) -> str:
    objective, rate = capacity["objective"], capacity["highest_request_rate"]
    if rate is None:
        return f"No measured load meets the objective {objective}."
    missed = capacity["lowest_missed_rate"]
    if missed is None:
        tried = "more was not tried"
    elif missed < rate:
        tried = f"the lower rate {trimmed(missed)} does not"
    else:
        tried = f"the next rate that was tried, {trimmed(missed)}, does not"
    text = f"{trimmed(rate)} requests per second meet the objective {objective}; {tried}."
    joules = capacity["energy_per_response_joules"]
    if joules is None:
        return text
    return f"{text} A request takes {energy(joules)} there: {number(capacity['requests_per_kwh'])} per kWh."


def _idle_in_words(capacity: Row) -> str:
    watts, part = capacity["idle_power_watts"], capacity["power_share_idle"]
    if watts is None:
        return ""
    text = f"Idle, with the model loaded, it draws {trimmed(watts)} W"
    return f"{text}." if part is None else f"{text}, {100 * part:.0f} % of its power at full load."


def _curve_of(row: Row) -> tuple[str, float]:
    return row["server_setup_id"], row["burstiness"]


def _sized(panel: Spec, *, narrow: bool) -> Spec:
    return {**panel, "width": _NARROW if narrow else _WIDE, "height": _HEIGHT}


def _panels(curve: Curve) -> Iterator[Spec]:
    power = _points(curve, "mean_power_watts", "mean_power_low_watts", "mean_power_high_watts")
    if power:
        top = max(point["high"] or point["value"] for point in power) * _ABOVE
        y = {"scale": {"domain": [0, top], "nice": False}, "axis": {"title": "Mean power, W"}}
        idle = [point for point in power if point["rate"] == 0]
        yield _panel("Power, idle included", curve, power, y, [*_labels(idle, "idle")])
    joules = _points(curve, "energy_per_response_joules")
    if joules:
        y = _log_axis([point["value"] for point in joules], "Energy per request, J")
        yield _panel("Energy per request", curve, joules, y, [])
    for quantity, title in (("ttft", "Time to first token"), ("itl", "Inter-token latency")):
        yield from _latency(curve, quantity, title)


def _latency(curve: Curve, quantity: str, title: str) -> Iterator[Spec]:
    """Median and 99th percentile, and the objective's ceiling."""
    lines = {name: _points(curve, f"{quantity}_p{name}_ms") for name in _PERCENTILES}
    known = {name: points for name, points in lines.items() if points}
    if not known:
        return
    capacity = curve.capacity or {}
    ceiling, at = capacity.get(f"{quantity}_ceiling_ms"), capacity.get(f"{quantity}_percentile")
    values = [point["value"] for points in known.values() for point in points]
    y = _log_axis([*values, *([ceiling * _ABOVE] if ceiling else [])], f"{title}, ms")
    points = [
        {**point, "line": name, "strength": 1 if name == _PERCENTILES[-1] else 0.55}
        for name, line in known.items()
        for point in line
    ]
    names = [
        layer for name, line in known.items() for layer in _labels(line[-1:], f"p{name}", dx=8, align="left")
    ]
    limits = []
    if ceiling:
        words = f"{capacity['objective']}: p{at} at most {trimmed(ceiling)} ms"
        limits = _ceiling(ceiling, words)
    yield _panel(title, curve, points, y, [*names, *limits])


def _points(curve: Curve, column: str, low: str | None = None, high: str | None = None) -> list[Row]:
    """The loads of which a quantity is known."""
    return [
        {
            "rate": row["request_rate"],
            "value": row[column],
            "low": row[low] if low else None,
            "high": row[high] if high else None,
            "shape": _SUSTAINED if row["is_sustained"] else _NOT_SUSTAINED,
            "line": "",
            "strength": 1,
        }
        for row in curve.loads
        if row[column] is not None
    ]


def _panel(title: str, curve: Curve, points: Sequence[Row], y: Spec, more: Sequence[Spec]) -> Spec:
    most = max(row["request_rate"] for row in curve.loads) * _ROOM
    x = {
        "field": "rate",
        "type": "quantitative",
        "scale": {"domain": [0, most], "nice": False},
        "axis": {"title": "Requests per second that arrive", "tickCount": 6},
    }
    y = {"field": "value", "type": "quantitative", **y}
    colour = theme.gpu_colour(curve.setup["gpu_model"])
    place, strength = {"x": x, "y": y}, {"field": "strength", "type": "quantitative", "scale": None}
    sustained = [point for point in points if point["shape"] == _SUSTAINED]
    shape = {"field": "shape", "type": "nominal", "scale": None}
    layers = [
        *_highest(curve, x),
        _layer(
            sustained,
            {"type": "line", "strokeWidth": 1.8, "color": colour},
            {**place, "opacity": strength, "detail": {"field": "line", "type": "nominal"}},
        ),
        _layer(
            [point for point in points if point["high"] is not None],
            {"type": "rule", "strokeWidth": 1.8, "color": colour},
            {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}},
        ),
        _layer(
            points,
            {"type": "point", "size": 52, "color": colour, "fill": colour},
            {**place, "shape": shape, "opacity": strength},
        ),
        *({**layer, "encoding": {"x": x, "y": y, **layer["encoding"]}} for layer in more),
    ]
    return {"title": {"text": title}, "layer": layers}


def _highest(curve: Curve, x: Spec) -> list[Spec]:
    """A vertical line at the highest measured load that meets the task's objective."""
    capacity = curve.capacity
    if capacity is None or capacity["highest_request_rate"] is None:
        return []
    rate = capacity["highest_request_rate"]
    values = [{"rate": rate, "words": f"{capacity['objective']}: {trimmed(rate)}/s"}]
    left = rate > x["scale"]["domain"][1] / 2
    mark = {"type": "text", "dy": 3, "dx": -5 if left else 5, "align": "right" if left else "left"}
    return [
        _layer(
            values, {"type": "rule", "strokeDash": [6, 4], "strokeWidth": 1.4, "color": theme.INK}, {"x": x}
        ),
        _layer(
            values,
            {**mark, "baseline": "top", "fontSize": 12, "fontWeight": "bold", "color": theme.INK},
            {"x": x, "y": {"value": 0}, "text": {"field": "words"}},
        ),
    ]


def _ceiling(value: float, words: str) -> list[Spec]:
    values = [{"value": value, "words": words}]
    return [
        _layer(
            values,
            {"type": "rule", "strokeDash": [2, 3], "strokeWidth": 1.4, "color": theme.SOFT},
            {"x": {"value": 0}, "x2": {"value": "width"}},
        ),
        _layer(
            values,
            {"type": "text", "dx": 4, "dy": -6, "align": "left", "fontSize": 11.5, "color": theme.SOFT},
            {"x": {"value": 0}, "text": {"field": "words"}},
        ),
    ]


def _labels(points: Sequence[Row], words: str, dx: int = 9, align: str = "left") -> list[Spec]:
    mark = {"type": "text", "dx": dx, "align": align, "fontSize": 12, "color": theme.INK}
    return [_layer(points, mark, {"text": {"value": words}})] if points else []


def _log_axis(values: Sequence[float], title: str) -> Spec:
    domain, ticks = theme.log_axis(values)
    return {
        "scale": {"type": "log", "domain": domain, "nice": False},
        "axis": {"values": ticks, "title": f"{title} (log scale)", "format": ",~g"},
    }


def _layer(values: Sequence[Row], mark: Spec, encoding: Spec) -> Spec:
    # Without a label of its own each mark would say its numbers again; the table below the figure has them.
    return {"data": {"values": list(values)}, "mark": {"aria": False, **mark}, "encoding": encoding}
