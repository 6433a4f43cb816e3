"""A law per family of points: one model, version, GPU and batch size; only steps, pixels and frames differ.

GPUs of one model differ by several percent, and not alike at every load, so a law is fitted to the points of
one GPU (or set of GPUs): that with the most points. Each law is fitted as often as there are points, each
time without one of them. These fits say how far it misses what it has not seen, and how far its terms
scatter: the delete-one jackknife, which asks nothing of the residuals.

Read and written are plain tables: dbt calls these functions (`int_diffusion_law_terms`,
`int_diffusion_law_proofs`).

SciPy is imported where it is used: that takes most of a second, and not every refresh needs it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from expectations.laws.law import EXPONENTS, UNITS, Fit, Law, NotTold, Point, Range, Term, fit

TERMS = pa.schema(
    {
        "family_id": pa.string(),
        "gpu_uuids": pa.string(),
        "law": pa.string(),
        "term": pa.string(),
        "value": pa.float64(),
        "value_low": pa.float64(),
        "value_high": pa.float64(),
        "unit": pa.string(),
        "terms": pa.int32(),
        "points": pa.int32(),
        "largest_residual": pa.float64(),
        "largest_mean_residual": pa.float64(),
        "fewest_steps": pa.int32(),
        "most_steps": pa.int32(),
        "fewest_pixels": pa.int64(),
        "most_pixels": pa.int64(),
        "fewest_frames": pa.int32(),
        "most_frames": pa.int32(),
        "runs": pa.int32(),
        "run_ids": pa.string(),
    }
)
"""One row per family, law and term."""

PROOFS = pa.schema(
    {
        "family_id": pa.string(),
        "point_id": pa.string(),
        "law": pa.string(),
        "fitted_joules": pa.float64(),
        "predicted_joules": pa.float64(),
        "is_within_others": pa.bool_(),
    }
)
"""One row per family, law and point. `predicted_joules`: by the law that was fitted without the point."""

_LEVEL = 0.975

Row = Mapping[str, Any]


@dataclass(frozen=True)
class _Tried:
    """A law of a family: its fit to all points, and the fits without each of them, in their order."""

    whole: Fit
    without: tuple[Fit, ...]

    def interval(self, term: Term) -> tuple[float, float]:
        """95 %. Energies are not negative."""
        from scipy.special import stdtrit

        value, values = self.whole.terms[term], np.array([other.terms[term] for other in self.without])
        count = len(values)
        error = math.sqrt((count - 1) / count * float(((values - values.mean()) ** 2).sum()))
        half = float(stdtrit(count - len(self.whole.terms), _LEVEL)) * error
        low = value - half
        return (low if term in EXPONENTS else max(0.0, low)), value + half


def fitted(points: pa.Table, laws: Iterable[Law] = Law) -> pa.Table:
    """Fit every law to every family whose points tell its terms.

    Args:
        points: rows of `int_generated_points`. laws: those to fit.

    Returns:
        Rows of `TERMS`.
    """
    rows = []
    for family_id, family in _families(points):
        for law, tried in _tried(family, laws).items():
            common = {"family_id": family_id, "law": law.value, **_origin(family)}
            common |= _residuals(family, tried.whole)
            for term, value in tried.whole.terms.items():
                low, high = tried.interval(term)
                rows.append(
                    common
                    | {"term": term.value, "value": value, "value_low": low, "value_high": high}
                    | {"unit": UNITS[term], "terms": len(tried.whole.terms)}
                )
    return pa.Table.from_pylist(rows, schema=TERMS)


def left_out(points: pa.Table) -> pa.Table:
    """What each law says of each point by the fit without it: rows of `PROOFS`."""
    rows = []
    for family_id, family in _families(points):
        placed = [_point(row) for row in family]
        for law, tried in _tried(family, Law).items():
            for place, (row, without) in enumerate(zip(family, tried.without, strict=True)):
                point, others = placed[place], placed[:place] + placed[place + 1 :]
                rows.append(
                    {
                        "family_id": family_id,
                        "point_id": row["point_id"],
                        "law": law.value,
                        "fitted_joules": tried.whole.joules(point),
                        "predicted_joules": without.joules(point),
                        "is_within_others": point in Range.of(others),
                    }
                )
    return pa.Table.from_pylist(rows, schema=PROOFS)


def _families(points: pa.Table) -> Iterator[tuple[str, list[Row]]]:
    """Of each family the points of the GPU with the most of them, the first by name of equals."""
    families: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in sorted(points.to_pylist(), key=lambda row: row["point_id"]):
        families[row["family_id"]][row["gpu_uuids"] or ""].append(row)
    for family_id, by_gpu in sorted(families.items()):
        yield family_id, min(by_gpu.items(), key=lambda item: (-len(item[1]), item[0]))[1]


def _tried(family: Sequence[Row], laws: Iterable[Law]) -> dict[Law, _Tried]:
    """The laws whose terms the points tell, also without any one of them."""
    points, joules = [_point(row) for row in family], [row["energy_per_output_joules"] for row in family]
    tried = {}
    for law in laws:
        with suppress(NotTold):
            whole = fit(law, points, joules)
            without = tuple(
                fit(law, points[:place] + points[place + 1 :], joules[:place] + joules[place + 1 :])
                for place in range(len(points))
            )
            if any(other.terms.keys() != whole.terms.keys() for other in without):
                raise NotTold("a knob varies at one point only")
            tried[law] = _Tried(whole, without)
    return tried


def _point(row: Row) -> Point:
    return Point(row["inference_steps"], row["height"] * row["width"], row["num_frames"] or 1)


def _origin(family: Sequence[Row]) -> dict[str, Any]:
    ids = sorted(run_id for row in family for run_id in row["run_ids"].split(", "))
    return {
        "gpu_uuids": family[0]["gpu_uuids"],
        "points": len(family),
        **Range.of([_point(row) for row in family]).columns,
        "runs": len(ids),
        "run_ids": ", ".join(ids),
    }


def _residuals(family: Sequence[Row], law: Fit) -> dict[str, float]:
    """The largest residual, and the largest mean over points that share a value of a knob: a bend."""
    points = [_point(row) for row in family]
    residuals = np.array(
        [
            law.joules(point) / row["energy_per_output_joules"] - 1
            for point, row in zip(points, family, strict=True)
        ]
    )
    sharing = [
        np.flatnonzero(knob == value)
        for knob in np.array([point.knobs for point in points]).T
        for value in set(knob)
    ]
    means = [abs(float(residuals[places].mean())) for places in sharing if len(places) > 1]
    return {
        "largest_residual": float(np.abs(residuals).max()),
        "largest_mean_residual": max(means, default=0.0),
    }
