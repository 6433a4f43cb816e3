"""Energy of one image or video over steps, frames and pixels: measured points, and the law fitted to them.

A figure per family of points, drawn without a script: one for wide and one for narrow screens, written as
Vega-Lite itself, as those of `load_curves`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import groupby
from math import log10
from typing import Any

from expectations.board.reading.figures import theme
from expectations.laws import Law, Point, PublishedLaw, Term
from expectations.laws.answer import why_no_law
from expectations.laws.law import FRAMES_PER_LATENT, MEGAPIXEL
from expectations.pages.drawings import svg_of_vega_lite
from expectations.pages.names import runtime_title
from expectations.pages.numbers import energy
from expectations.sql import Row

NAME = "diffusion_energy_surface"
SHOWN = 12
"""Families whose figures the page draws; the mart and the CSV have all."""
_WIDE, _NARROW, _HEIGHT = 300, 290, 250
_LETTER, _AXIS = 6.6, 56
"""Pixels of a letter of a line's name, and of what stands to the left of a plot."""
_LINE_GAP = 14
_DRAWN_PLACES = 40
"""Of a law's line."""
_MEASURED, _TESTED, _SAID, _OTHER_GPU = "measured", "tested", "said", "other GPU"
_MARKS: Mapping[str, Mapping[str, Any]] = {
    _MEASURED: {"shape": "circle", "size": 52, "filled": True, "opacity": 1},
    _TESTED: {"shape": "circle", "size": 72, "filled": False, "opacity": 1, "strokeWidth": 1.8},
    _SAID: {"shape": "M-1,-1L1,1M-1,1L1,-1", "size": 62, "filled": False, "opacity": 1, "strokeWidth": 1.4},
    _OTHER_GPU: {"shape": "diamond", "size": 50, "filled": False, "opacity": 0.6},
}
_ONCE = {Term.FIXED: "in any case", Term.DECODED: "per megapixel of its frames"}
_EACH_STEP = {
    Term.STEP: "in any case",
    Term.STEP_LINEAR: "per megapixel of its latent frames",
    Term.STEP_QUADRATIC: "per squared megapixel of them",
}
"""Terms of the work: what is done once, and what in each step."""
_RAISED = {
    Term.STEPS_EXPONENT: "steps",
    Term.PIXELS_EXPONENT: "pixels",
    Term.FRAMES_EXPONENT: "frames",
}

Spec = dict[str, Any]


class Knob(Enum):
    """What was varied: its column, and its name for people."""

    STEPS = ("inference_steps", "steps")
    FRAMES = ("num_frames", "frames")
    PIXELS = ("pixels", "megapixels")

    @property
    def title(self) -> str:
        """For people."""
        return self.value[1]

    def of(self, row: Row) -> float:
        """Its value in a row; frames of an image are 1, pixels are megapixels."""
        value = row[self.value[0]] or 1
        return value / MEGAPIXEL if self is Knob.PIXELS else value


@dataclass(frozen=True)
class Surface:
    """One family of measured points.

    points: its rows of `surface_points.sql`. law: the law to use, if one is proven. nearest: its row of
    `laws/nearest.sql`, with the law that came nearest.
    """

    points: tuple[Row, ...]
    law: PublishedLaw | None
    nearest: Row

    @property
    def family(self) -> Row:
        """A row with what all of its points share."""
        return self.points[0]

    @property
    def fitted_on(self) -> str | None:
        """The GPUs of the law to use, or of the law that came nearest; `None` if none could be tried."""
        gpus = self.law.of["gpu_uuids"] if self.law else self.nearest["fitted_gpu_uuids"]
        return None if gpus is None else str(gpus)

    @property
    def stem(self) -> str:
        """Name of its files without their ending."""
        return f"surface-{self.family['family_id'][:16]}"

    @property
    def output(self) -> str:
        """`image` or `video`."""
        return str(self.family["output_unit"])

    def heading(self, tasks: Mapping[str, str]) -> str:
        """Model, task and where it ran. tasks: display name by task."""
        row = self.family
        return (
            f"{row['nickname']}, {tasks.get(row['task'], row['task'])}, {row['num_gpus']}x {row['gpu_model']}"
        )

    @property
    def conditions(self) -> str:
        """What else sets it apart from other families."""
        row = self.family
        cap = f"cap {row['power_limit_watts']:g} W" if row["power_limit_watts"] is not None else None
        parts = (
            f"{runtime_title(row['runtime'])} {row['runtime_version']}",
            f"batch size {row['batch_size']}",
            row["weight_precision"],
            f"{row['weights'] or 'unknown'} weights",
            cap,
        )
        return ", ".join(filter(None, parts))

    def alternative(self, tasks: Mapping[str, str]) -> str:
        """What the figure shows, for those who do not see it; the table has its numbers."""
        over = " and ".join(knob.title for knob in self.varied)
        shown = "measured energy and the law fitted to it" if self.law else "measured energy"
        return f"Figure: {shown} over {over}, {self.heading(tasks)}"

    @property
    def varied(self) -> list[Knob]:
        """What differs between its points: that with the most values first, pixels last.

        Points that differ in nothing but the shape of a frame stand over its pixels.
        """
        values = {knob: {knob.of(row) for row in self.points} for knob in Knob}
        varied = [knob for knob in Knob if len(values[knob]) > 1]
        return sorted(varied, key=lambda knob: (knob is Knob.PIXELS, -len(values[knob]))) or [Knob.PIXELS]


def surfaces(
    points: Sequence[Row], laws: Mapping[str, PublishedLaw], nearest: Sequence[Row]
) -> list[Surface]:
    """The families of rows of `surface_points.sql`. laws: by family. nearest: of `laws/nearest.sql`."""
    missed = {row["family_id"]: row for row in nearest}
    return [
        Surface(tuple(rows), laws.get(family_id), missed[family_id])
        for family_id, rows in groupby(points, key=lambda row: str(row["family_id"]))
    ]


def in_words(surface: Surface) -> list[str]:
    """What the law says and how far it misses points that it has not seen; or why there is none."""
    law = surface.law
    if law is None:
        return [f"No law: {why_no_law(surface.nearest)}."]
    of = law.of
    first = f"The law is a model fitted to {of['points']} measured points of one GPU"
    if of["num_gpus"] > 1:
        first = f"The law is a model fitted to {of['points']} measured points of one set of GPUs"
    return [
        f"{first}: {_terms_in_words(surface, law)}.",
        f"Asked for each of {of['tested_points']} points after it was fitted without it, it misses by at most"
        f" {_share(of['held_out_largest_error'])}, and half of these by at most"
        f" {_share(of['held_out_median_error'])}. It says nothing beyond {law.covers_in_words}.",
    ]


def counts(surface: Surface, row: Row) -> str:
    """Whether a point is a proof of the law, and if not, why."""
    if surface.law is None:
        return "no law"
    if row["gpu_uuids"] != surface.law.of["gpu_uuids"]:
        return "no: another GPU"
    return "yes" if row["is_within_others"] else "no: beyond the others"


def svg(surface: Surface, *, narrow: bool = False) -> str:
    """The figure as SVG for the page, in the colours of its style sheet."""
    return theme.unsized(svg_of_vega_lite(specification(surface, narrow=narrow)))


def specification(surface: Surface, *, narrow: bool = False) -> Spec:
    """The Vega-Lite specification: a panel per knob that was varied. narrow: below each other."""
    panels = [_panel(surface, knob, narrow=narrow) for knob in surface.varied if _lines(surface, knob)]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "columns": 1 if narrow else 2,
        "concat": panels,
        "config": theme.config(),
    }


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


def _terms_in_words(surface: Surface, law: PublishedLaw) -> str:
    rows: dict[Term, Mapping[str, Any]] = {Term(row["term"]): row for row in law.terms}
    if law.fit.law is Law.WORK:
        once, each_step = (_sum(rows, words) for words in (_ONCE, _EACH_STEP))
        return f"one {surface.output} takes {once}, and in each step {each_step}"
    knobs = [f"its {words} {_power(rows[term])}" for term, words in _RAISED.items() if term in rows]
    fixed = rows.get(Term.FIXED)
    text = f"the energy of one {surface.output} rises with {' and '.join(knobs)}"
    if fixed is None:
        return text
    return f"{text}, on top of {energy(fixed['term_value'])} that none of these changes"


def _sum(rows: Mapping[Term, Mapping[str, Any]], words: Mapping[Term, str]) -> str:
    """The terms above 0; there is no negative one."""
    parts = [
        f"{energy(rows[term]['term_value'])} {of}" for term, of in words.items() if rows[term]["term_value"]
    ]
    return " and ".join(parts) or "nothing"


def _power(row: Mapping[str, Any]) -> str:
    low, high, value = row["term_low"], row["term_high"], row["term_value"]
    interval = f"95 % interval {low:.2f} to {high:.2f}; " if low is not None else ""
    return f"to the power {value:.2f} ({interval}twice as many take {2**value:.2f} times as much)"


@dataclass(frozen=True)
class _Line:
    """Points that differ in one knob. name: what they share, as far as other lines do not."""

    name: str
    rows: tuple[Row, ...]


def _lines(surface: Surface, knob: Knob) -> list[_Line]:
    """The lines over a knob. The first knob has all points, the others those with a neighbour."""
    varied = surface.varied
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in surface.points:
        shared = [other.of(row) for other in Knob if other is not knob]
        size = None if knob is Knob.PIXELS else (row["height"], row["width"])
        groups[*shared, size].append(row)
    return [
        _Line(_name(rows[0], knob, varied), tuple(rows))
        for rows in groups.values()
        if knob is varied[0] or len({knob.of(row) for row in rows}) > 1
    ]


def _name(row: Row, knob: Knob, varied: Sequence[Knob]) -> str:
    size = f"{row['width']}x{row['height']}"
    others = [
        f"{other.of(row):g} {other.title}"
        for other in (Knob.STEPS, Knob.FRAMES)
        if other in varied and other is not knob
    ]
    return ", ".join(([] if knob is Knob.PIXELS else [size]) + others)


def _panel(surface: Surface, knob: Knob, *, narrow: bool) -> Spec:
    lines = _lines(surface, knob)
    points = [point for line in lines for point in _points(surface, knob, line)]
    drawn = [place for line in lines for place in _drawn(surface, knob, line)]
    values = [point[key] for point in (*points, *drawn) for key in ("value", "low", "high") if point.get(key)]
    domain, ticks = theme.log_axis([value for value in values if value > 0])
    ends = _ends(lines, points, drawn, *domain)
    colour = theme.gpu_colour(surface.family["gpu_model"])
    x = {
        "field": "place",
        "type": "quantitative",
        "scale": {"type": "log", "nice": False, "padding": 12},
        "axis": {
            "title": f"{knob.title.capitalize()} (log scale)",
            "values": sorted({point["place"] for point in points}),
            "format": ".2~f" if knob is Knob.PIXELS else "d",
            "labelOverlap": True,
            "grid": False,
        },
    }
    y = {
        "field": "value",
        "type": "quantitative",
        "scale": {"type": "log", "domain": domain, "nice": False},
        "axis": {"values": ticks, "title": f"Energy of one {surface.output}, J (log scale)", "format": ",~g"},
    }
    line = {"type": "line", "strokeWidth": 1.8} if surface.law else {"type": "line", "strokeDash": [2, 3]}
    layers = [
        _layer(
            drawn,
            {**line, "color": colour},
            {"x": x, "y": y, "detail": [{"field": "line"}, {"field": "gpu"}]},
        ),
        _layer(
            [{**point, "low": max(point["low"], domain[0])} for point in points if point["high"] is not None],
            {"type": "rule", "strokeWidth": 1.8, "color": colour},
            {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}},
        ),
        *(
            _layer(
                [point for point in points if point["kind"] == kind],
                {"type": "point", **mark, "color": theme.INK if kind == _SAID else colour},
                {"x": x, "y": y},
            )
            for kind, mark in _MARKS.items()
        ),
        _layer(
            ends,
            {
                "type": "text",
                "align": "left",
                "dx": 10,
                "fontSize": 12,
                "color": theme.INK,
                "lineBreak": theme.LINE_BREAK,
            },
            {"x": x, "y": y, "text": {"field": "name"}},
        ),
    ]
    letters = max(len(part) for end in ends for part in end["name"].split(theme.LINE_BREAK))
    width = _NARROW - _AXIS - _LETTER * letters if narrow else _WIDE
    return {"title": {"text": f"Over {knob.title}"}, "layer": layers, "width": width, "height": _HEIGHT}


def _points(surface: Surface, knob: Knob, line: _Line) -> Iterator[Row]:
    """Measured points with their intervals, and what the law said of those that were left out."""
    for row in line.rows:
        place = {"place": knob.of(row), "line": line.name, "low": None, "high": None}
        own_gpu = surface.fitted_on in (None, row["gpu_uuids"])
        tested = own_gpu and row["is_within_others"]
        yield {
            **place,
            "value": row["energy_per_output_joules"],
            "low": row["energy_per_output_low_joules"],
            "high": row["energy_per_output_high_joules"],
            "kind": _OTHER_GPU if not own_gpu else _TESTED if tested else _MEASURED,
        }
        if tested:
            yield {**place, "value": row["predicted_joules"], "kind": _SAID}


def _drawn(surface: Surface, knob: Knob, line: _Line) -> Iterator[Row]:
    """The law along the line, as far as it says something; without a law what joins the points of a GPU."""
    law = surface.law
    if law is None:
        for row in sorted(line.rows, key=knob.of):
            yield {
                "place": knob.of(row),
                "value": row["energy_per_output_joules"],
                "line": line.name,
                "gpu": row["gpu_uuids"],
            }
        return
    first = line.rows[0]
    at = {other: first[other.value[0]] or 1 for other in Knob}
    for value in _places(law, knob):
        point = Point(*({**at, knob: value}[each] for each in (Knob.STEPS, Knob.PIXELS, Knob.FRAMES)))
        if law.covers(point):
            place = value / MEGAPIXEL if knob is Knob.PIXELS else value
            yield {"place": place, "value": law.fit.joules(point), "line": line.name}


def _places(law: PublishedLaw, knob: Knob) -> list[int]:
    """Whole values of a knob over the law's range; of frames those with whole latent frames."""
    low, high = {Knob.STEPS: law.reach.steps, Knob.PIXELS: law.reach.pixels, Knob.FRAMES: law.reach.frames}[
        knob
    ]
    if knob is Knob.FRAMES:
        whole = {frames for frames in range(low, high + 1) if (frames - 1) % FRAMES_PER_LATENT == 0}
        return sorted(whole | {low, high})
    return sorted(
        {round(low * (high / low) ** (place / _DRAWN_PLACES)) for place in range(_DRAWN_PLACES + 1)}
    )


def _ends(
    lines: Sequence[_Line], points: Sequence[Row], drawn: Sequence[Row], low: float, high: float
) -> list[Row]:
    """Each line's name beside its end, apart from the others. low, high: of the axis of energy."""
    lasts = [
        max(
            [place for place in drawn if place["line"] == line.name]
            or [point for point in points if point["line"] == line.name],
            key=lambda place: place["place"],
        )
        for line in lines
    ]
    span = log10(high / low)
    heights = [_HEIGHT * log10(last["value"] / low) / span for last in lasts]
    apart = theme.spread_labels(heights, _LINE_GAP)
    return [
        {"place": last["place"], "value": low * 10 ** (span * height / _HEIGHT), "name": line.name}
        for line, last, height in zip(lines, lasts, apart, strict=True)
    ]


def _layer(values: Sequence[Row], mark: Spec, encoding: Spec) -> Spec:
    # Without a label of its own each mark would say its numbers again; the table below the figure has them.
    return {"data": {"values": list(values)}, "mark": {"aria": False, **mark}, "encoding": encoding}
