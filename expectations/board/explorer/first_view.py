"""What the explorer shows before and without a script: the default view as a figure and a table."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from expectations.board.explorer.labels import Place, place_labels
from expectations.board.reading import source_title
from expectations.board.reading.figures import theme
from expectations.pages.drawings import svg_of_vega

ROOM = Path(__file__).parent
WIDTH, HEIGHT = 1050, 560
AXES = (90, 110)  # what axes and title take of them
SHAPES = ("circle", "diamond", "square", "triangle-up", "cross")
"""How points of one GPU model differ by weight precision, in the order of their names."""

PRESCRIBED = 2
"""`generation_order` of a row whose acceptance of drafts was prescribed."""

LEAST = "each model's configuration with the least energy"
SERIES = (
    "data_source", "model_id", "weight_precision", "gpu_model", "num_gpus", "runtime", "runtime_version",
    "request_set_id", "length_control", "power_limit_watts", "weights", "model_revision", "tensor_parallel",
    "expert_parallel", "data_parallel", "ulysses_degree", "ring_degree", "inference_steps", "height",
    "width", "num_frames",
)  # fmt: skip
"""What is equal in the rows of one line: everything but the batch size."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class FirstView:
    """The default view.

    rows: each model's least-energy configuration, rising. energy_unit: factor and name of the unit in which
    its energies are shown. svg: None if nothing can be drawn.
    """

    task: str | None = None
    source: str | None = None
    rows: tuple[Row, ...] = ()
    energy_unit: tuple[float, str] = (1.0, "J")
    svg: str | None = None

    @property
    def unit(self) -> str:
        """What the task's output is counted in."""
        return str(self.rows[0]["output_unit"]) if self.rows else "token"

    @property
    def latency(self) -> str:
        """The column of the horizontal axis."""
        return "median_itl_ms" if self.unit == "token" else "batch_latency_seconds"


def first_view(by_task: Mapping[str, Sequence[Row]], tasks: Sequence[tuple[str, str]]) -> FirstView:
    """The default view: the first task that this project measured, of this project if it measured any.

    by_task: the rows of each task. tasks: id and display name, in the order of the page.
    """
    present = [task for task, _ in tasks if by_task.get(task)]
    if not present:
        return FirstView()
    own = [task for task in present if any(row["data_source"] == "jouleboard" for row in by_task[task])]
    task = (own or present)[0]
    source = "jouleboard" if own else str(by_task[task][0]["data_source"])
    rows = [row for row in by_task[task] if row["data_source"] == source]
    joules = [row["energy_per_output_joules"] for row in rows]
    unit = energy_unit(value for value in joules if value is not None)
    view = FirstView(task, source, tuple(least_per_model(rows)), unit)
    return replace(view, svg=_svg(view, rows, dict(tasks)[task]))


def least_per_model(rows: Iterable[Row]) -> list[Row]:
    """Each model's row with the least energy per output, rising.

    Runs without a GPU are tests: they count only where there are no others. Of a model's rows only those of
    the nearest kind of weights count (the mart's `weights_order`): dummy weights can take an eighth less
    energy, or a quarter more. Images and videos of unusual steps or size (`generation_order`) count only
    where there are no others; rows with a prescribed acceptance of drafts never count.
    """
    measured = [
        row
        for row in rows
        if row["energy_per_output_joules"] is not None and row["generation_order"] != PRESCRIBED
    ]
    on_gpus = [row for row in measured if row["num_gpus"]]
    least: dict[str, Row] = {}
    for row in sorted(on_gpus or measured, key=_nearest_first):
        least.setdefault(row["model_id"], row)
    return sorted(least.values(), key=_by_energy)


def _nearest_first(row: Row) -> tuple[Any, ...]:
    return row["generation_order"] or 0, row["weights_order"] or 0, *_by_energy(row)


def _by_energy(row: Row) -> tuple[Any, ...]:
    return row["energy_per_output_joules"], row["batch_size"], row["leaderboard_id"]


def frontier(rows: Iterable[Row], latency: str) -> list[Row]:
    """The rows that no other row beats: none is as good on both axes and better on one."""
    best: list[Row] = []
    for row in sorted(rows, key=lambda row: _figures(row, latency)):
        last = _figures(best[-1], latency) if best else (math.inf, math.inf)
        if _figures(row, latency)[1] < last[1] or _figures(row, latency) == last:
            best.append(row)
    return best


def _figures(row: Row, latency: str) -> tuple[float, float]:
    return row[latency], row["energy_per_output_joules"]


@cache
def scatter() -> dict[str, Any]:
    """The figure's specification without data."""
    specification: dict[str, Any] = json.loads((ROOM / "scatter.vega.json").read_text())
    return specification


def _svg(view: FirstView, rows: Sequence[Row], heading: str) -> str | None:
    """The figure that the page's scripts would draw of the default view, in the style sheet's colours."""
    latency = view.latency
    shown = [row for row in view.rows if row[latency]]
    if not shown:
        return None
    series = {_series(row) for row in shown}
    drawable = [row for row in rows if row[latency] and row["energy_per_output_joules"]]
    drawn = [row for row in drawable if _series(row) in series]
    factor, unit = view.energy_unit
    best = frontier(shown, latency)
    points = [_point(row, row in shown, latency, factor) for row in drawn]
    on_frontier = {row["leaderboard_id"] for row in best}
    x_domain = theme.log_axis([point["x"] for point in points])[0]
    y_domain = theme.log_axis([point["y"] for point in points])[0]
    signals = {
        "heading": f"{heading}: energy and latency",
        "caption": f"{source_title(str(view.source))}; {LEAST}",
        "ink": theme.INK,
        "soft": theme.SOFT,
        "line": theme.LINE,
        "ground": "var(--ground)",
        "xTitle": "ITL p50, ms (log scale)" if view.unit == "token" else "Batch latency, s (log scale)",
        "yTitle": f"Energy, {unit} per {view.unit} (log scale)",
        "ceilings": False,
        "xDomain": x_domain,
        "yDomain": y_domain,
    }
    specification = _filled(signals, points, [point for point in points if point["id"] in on_frontier])
    _place(specification, [point for point in points if point["chosen"]], x_domain, y_domain)
    return svg_of_vega(specification).replace('class="marks"', 'class="marks first"', 1)


def _series(row: Row) -> tuple[Any, ...]:
    return tuple(row.get(key) for key in SERIES)


def _point(row: Row, chosen: bool, latency: str, factor: float) -> dict[str, Any]:
    gpus = f" · {row['num_gpus']}\u00d7" if row["num_gpus"] and row["num_gpus"] > 1 else ""
    return {
        "id": row["leaderboard_id"],
        "x": row[latency],
        "y": row["energy_per_output_joules"] * factor,
        "batch": row["batch_size"],
        "series": repr(_series(row)),
        "colour": theme.gpu_colour(row["gpu_model"]),
        "shape": "circle",
        "chosen": chosen,
        "label": f"{row['nickname'] or row['model_id']}{gpus}" if chosen else "",
    }


def energy_unit(joules: Iterable[float]) -> tuple[float, str]:
    """Factor and name of the unit in which these energies read best, by their median: mJ, J or kJ."""
    ordered = sorted(joules)
    median = ordered[len(ordered) // 2] if ordered else 1.0
    for limit, factor, unit in ((0.1, 1e3, "mJ"), (1e3, 1.0, "J"), (1e6, 1e-3, "kJ")):
        if median < limit:
            return factor, unit
    return 1e-6, "MJ"


def _filled(signals: Mapping[str, Any], points: list[Any], best: list[Any]) -> dict[str, Any]:
    """The specification with values of signals, points and frontier."""
    specification = copy.deepcopy(scatter()) | {"width": WIDTH, "height": HEIGHT}
    for signal in specification["signals"]:
        signal["value"] = signals.get(signal["name"], signal.get("value"))
        signal.pop("on", None)
    data = {data["name"]: data for data in specification["data"]}
    data["points"]["values"] = points
    data["frontier"]["values"] = data["strong"]["values"] = best
    data["lines"]["values"] = list(_lines(points))
    return specification


def _lines(points: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """The lines through rising batch sizes, one after the other; a point without a place ends each."""
    lines: dict[str, list[Mapping[str, Any]]] = {}
    for point in sorted(points, key=lambda point: point["batch"]):
        lines.setdefault(point["series"], []).append(point)
    for line in lines.values():
        yield from ({key: point[key] for key in ("x", "y", "colour", "series")} for point in line)
        yield {"x": None, "y": None, "colour": line[0]["colour"], "series": line[0]["series"]}


def _place(
    specification: dict[str, Any], points: list[Any], x_domain: Sequence[float], y_domain: Sequence[float]
) -> None:
    """Write the labels at places without overlap: the specification's own way needs a browser's canvas."""
    width, height = WIDTH - AXES[0], HEIGHT - AXES[1]
    places = [
        Place(
            _along(point["x"], x_domain) * width, (1 - _along(point["y"], y_domain)) * height, point["label"]
        )
        for point in points
    ]
    for point, (dx, dy, align) in zip(points, place_labels(places, width), strict=True):
        point |= {"dx": dx, "dy": dy, "align": align}
    for mark in specification["marks"]:
        if mark.get("name") == "places":
            del mark["transform"]
            mark["encode"]["update"] |= {
                "x": {"signal": "datum.x + datum.datum.dx"},
                "y": {"signal": "datum.y + datum.datum.dy"},
                "align": {"field": "datum.align"},
                "baseline": {"value": "middle"},
            }


def _along(value: float, domain: Sequence[float]) -> float:
    """Where a value lies on a logarithmic axis, from 0 to 1."""
    return math.log(value / domain[0]) / math.log(domain[1] / domain[0])
