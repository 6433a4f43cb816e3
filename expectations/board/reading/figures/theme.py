"""What all figures share: colours, sizes, scales and words."""

from __future__ import annotations

import itertools
import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from expectations.pages.numbers import energy, per_cent, significant

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

__all__ = ["energy", "per_cent", "significant"]
"""How figures write numbers; the rest of this module is its own."""

INK, SOFT, LINE = "var(--ink)", "var(--soft)", "var(--line)"
GPU_COLOURS = {
    "B200": "var(--gpu-b200)",
    "H200": "var(--gpu-h200)",
    "H100": "var(--gpu-h100)",
    "A100": "var(--gpu-a100)",
}
"""One colour per GPU model, in every figure and for every source."""
SERIES_COLOURS = ("var(--series-1)", "var(--series-2)", "var(--series-3)", "var(--series-4)")
LIGHT = {
    "var(--ink)": "#1c1d1f",
    "var(--soft)": "#5c6068",
    "var(--line)": "#d9d9d4",
    "var(--gpu-b200)": "#0a6b54",
    "var(--gpu-h200)": "#2b5fa8",
    "var(--gpu-h100)": "#a34f00",
    "var(--gpu-a100)": "#7a4a9c",
    "var(--series-1)": "#0a6b54",
    "var(--series-2)": "#a34f00",
    "var(--series-3)": "#2b5fa8",
    "var(--series-4)": "#7a4a9c",
}
"""The style sheet's light colours, for files that stand alone."""


LINE_BREAK = "|"
LINES = f"split(datum.label, '{LINE_BREAK}')"
"""Expression of an axis' labels: one text per line."""


@dataclass(frozen=True)
class Layout:
    """How much room a figure has. width: of its plots side by side, in pixels."""

    width: int
    is_narrow: bool = False

    def panel(self, wide: int) -> int:
        """Width of one plot of several: beside each other, or the whole width of a narrow screen."""
        return self.width if self.is_narrow else wide

    def title_of(self, parameter: str, limit: int) -> Any:
        """What the reader chose, as a title; on a narrow screen each of its parts is a line."""
        import altair as alt

        words = f"split({parameter}, ', ')" if self.is_narrow else parameter
        size = 12 if self.is_narrow else 12.5
        return alt.Title(alt.expr(words), limit=limit, fontSize=size)

    def broken(self, name: str, letters: int = 20) -> str:
        """A name for a label; on a narrow screen with `LINE_BREAK` where a new line begins."""
        return LINE_BREAK.join(textwrap.wrap(name, letters)) if self.is_narrow else name

    def join(self, panels: Sequence[Any], **settings: Any) -> Any:
        """Panels side by side, on a narrow screen below each other."""
        import warnings

        import altair as alt

        with (
            warnings.catch_warnings()
        ):  # what lights up in one panel lights up in all: one selection is meant
            warnings.filterwarnings("ignore", "Automatically deduplicated selection parameter")
            return (alt.vconcat if self.is_narrow else alt.hconcat)(*panels, **settings)


WIDE = Layout(840)
NARROW = Layout(265, is_narrow=True)
"""A telephone of 360 pixels, without the labels of an axis."""


@dataclass(frozen=True)
class Control:
    """A choice that the reader has: the parameter of the specification, what it chooses, values and words."""

    parameter: str
    label: str
    options: tuple[tuple[Any, str], ...]

    def chosen(self, first: Any) -> Any:
        """The parameter of the specification, at the choice that is drawn first."""
        import altair as alt

        return alt.param(name=self.parameter, value=first)


def controls(*entries: Control, ceiling: Ceiling | None = None) -> dict[str, Any]:
    """The controls of a figure, as its specification carries them to the page."""
    described = [
        {"parameter": entry.parameter, "label": entry.label, "options": entry.options}
        for entry in entries
        if len(entry.options) > 1
    ]
    limit = {} if ceiling is None else {"ceiling": {"parameter": ceiling.parameter, "label": ceiling.label}}
    return {"controls": described, **limit}


@dataclass(frozen=True)
class Ceiling:
    """A limit on the horizontal axis that the reader drags or writes; NULL: there is none."""

    parameter: str
    label: str


@dataclass(frozen=True)
class Choice:
    """Rows of which a reader sees those with one value in a column. first: the value that is drawn first."""

    column: str
    control: Control
    first: str

    @classmethod
    def among(cls, rows: pd.DataFrame, column: str, label: str, parameter: str = "choice") -> Choice:
        """The choice among a column's values. The first row has the value that is drawn first."""
        values = list(dict.fromkeys(rows[column]))
        options = tuple((value, value) for value in sorted(values))
        return cls(column, Control(parameter, label, options), values[0])

    @property
    def parameter(self) -> Any:
        """The parameter of the specification."""
        return self.control.chosen(self.first)

    @property
    def is_chosen(self) -> str:
        """The expression that is true for the rows that are shown."""
        return f"datum[{self.column!r}] == {self.control.parameter}"

    def value_of(self, values: Mapping[str, Any]) -> Any:
        """The value of what is chosen, as an expression. values: one per value of the column."""
        import altair as alt

        return alt.expr(f"({json.dumps(dict(values))})[{self.control.parameter}]")

    def most(self, rows: pd.DataFrame, field: str, room: float) -> Any:
        """The largest of a field's values that are shown, times `room`: where its axis ends."""
        largest = rows.groupby(self.column)[field].max() * room
        return self.value_of({str(value): float(end) for value, end in largest.items()})


def gpu_colour(gpu_model: str) -> str:
    """The colour of a GPU model; the text's for one that has none."""
    return GPU_COLOURS.get(gpu_model, INK)


def configured(chart: Any) -> Any:
    """The chart with the page's type and colours."""
    return chart.configure(  # in one call: each copies the chart
        aria=False,
        font="Arial, Helvetica, sans-serif",
        background="transparent",
        view={"stroke": None},
        axis={
            "domainColor": SOFT,
            "gridColor": LINE,
            "labelColor": SOFT,
            "labelFontSize": 12,
            "labelLimit": 280,
            "labelPadding": 5,
            "tickColor": SOFT,
            "titleColor": SOFT,
            "titleFontSize": 12.5,
            "titleFontWeight": "normal",
            "titlePadding": 10,
        },
        title={"anchor": "start", "color": INK, "fontSize": 13.5, "fontWeight": "bold", "offset": 10},
        header={
            "labelAnchor": "start",
            "labelColor": INK,
            "labelFontSize": 13.5,
            "labelFontWeight": "bold",
            "title": None,
        },
        concat={"spacing": 36},
    )


@cache
def config() -> dict[str, Any]:
    """The type and colours that all figures share, for specifications written as Vega-Lite itself."""
    import altair as alt

    shared: dict[str, Any] = configured(alt.Chart().mark_point()).to_dict()["config"]
    return shared


def log_axis(values: Iterable[float]) -> tuple[list[float], list[float]]:
    """Domain and ticks of a logarithmic axis around values: ticks at round numbers."""
    import math

    low, high = min(values), max(values)
    domain = [low / 1.15, high * 1.15]
    powers = range(math.floor(math.log10(domain[0])), math.ceil(math.log10(domain[1])) + 1)
    span = domain[1] / domain[0]
    steps = (1, 1.5, 2, 3, 4, 5, 7) if span < 12 else (1, 2, 5) if span < 300 else (1,)
    ticks = [step * 10.0**power for power in powers for step in steps]
    return domain, [tick for tick in ticks if domain[0] <= tick <= domain[1]]


def series_colour(
    field: str, names: Sequence[str], colours: Sequence[str] = SERIES_COLOURS, **legend: Any
) -> alt.Color:
    """A colour per name in this order, and a legend above the figure. legend: what it has besides."""
    import altair as alt

    return (
        alt.Color(f"{field}:N")
        .scale(domain=list(names), range=list(colours[: len(names)]))
        .legend(title=None, orient="top", labelColor=INK, labelFontSize=12.5, **legend)
    )


def logarithmic_of_choice(channel: Any, title: str) -> Any:
    """An x or y encoding on a logarithmic scale around the values that the reader chose."""
    return channel.scale(type="log", nice=False, padding=14).axis(title=f"{title} (log scale)", format="~g")


def batch_axis_of_choice() -> alt.X:
    """Batch sizes of the choice on a logarithmic axis."""
    import altair as alt

    return (
        alt.X("batch_size:Q")
        .scale(type="log", base=2, nice=False, padding=10)
        .axis(title="Batch size (log scale)", format="d", tickCount=6, labelOverlap=True)
    )


def series_names(rows: pd.DataFrame, tasks: Mapping[str, str]) -> list[str]:
    """A name per row for its series (`series_id`): model, task and GPUs, and what else sets it apart."""
    gpus = [f"{row.num_gpus}x {row.gpu_model}" for row in records(rows)]
    return names_apart(rows, rows["series_id"], gpus, tasks)


_APART = (
    ("weights", "{} weights", "weights"),
    ("runtime_version", "version {}", "version"),
    ("request_set_id", "{}", "requests"),
    ("length_control", "{} lengths", "lengths"),
    ("power_limit_watts", "cap {:.0f} W", "cap"),
)
"""What sets series apart that are of one model, task and GPUs, how it is said, and its name; in order."""


def _apart(row: Any) -> list[str]:
    import pandas as pd

    return [
        f"{name} not known" if pd.isna(value := getattr(row, column)) else words.format(value)
        for column, words, name in _APART
    ]


def names_apart(
    rows: pd.DataFrame, keys: Iterable[str], gpus: Iterable[str], tasks: Mapping[str, str]
) -> list[str]:
    """A name per row for its key: model, task and GPUs (empty: none), and what else sets it apart."""
    rows = rows.assign(key=list(keys), gpus=list(gpus))
    first = rows.drop_duplicates("key").set_index("key")
    names = {
        row.Index: ", ".join(filter(None, [row.nickname, tasks.get(row.task, row.task), row.gpus]))
        for row in records(first)
    }
    further = {row.Index: [*_apart(row), row.Index[:4]] for row in records(first)}
    for number in range(len(_APART) + 1):
        alike: dict[str, list[str]] = {}
        for key, name in names.items():
            alike.setdefault(name, []).append(key)
        for name, same in alike.items():
            if len({further[key][number] for key in same}) > 1:
                names.update({key: f"{name}, {further[key][number]}" for key in same})
    return [names[key] for key in rows["key"]]


def records(rows: pd.DataFrame) -> Iterator[Any]:
    """Rows with their columns as attributes."""
    yield from rows.itertuples()


def spread_labels(places: Sequence[float], gap: float) -> list[float]:
    """Places, moved as little as a simple pass can so that neighbours are at least `gap` apart."""
    order = sorted(range(len(places)), key=lambda index: places[index])
    moved = list(places)
    for _ in range(60):
        for low, high in itertools.pairwise(order):
            short = gap - (moved[high] - moved[low])
            if short > 0:
                moved[low] -= short / 2
                moved[high] += short / 2
    return moved


def unsized(svg: str) -> str:
    """A drawing for a page, which sets the width; the height follows from the view box."""
    return re.sub(r'(<svg [^>]*?) width="[\d.]+" height="[\d.]+"', r"\1", svg, count=1)
