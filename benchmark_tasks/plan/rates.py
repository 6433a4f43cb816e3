"""Request rates of an open loop: as a person writes them, and a sweep over them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from benchmark_tasks.errors import CatalogError, SettingsError
from benchmark_tasks.plan.landed import closed_loop_maximum
from benchmark_tasks.plan.sweep import Sweep, SweepPoint
from benchmark_tasks.results.identity import POISSON
from benchmark_tasks.results.schema import Run

LARGEST_SHARE = 10.0


def at_rates(
    sweep: Sweep,
    rates: Sequence[str],
    runs: Iterable[Run],
    *,
    burstiness: float = POISSON,
) -> Sweep:
    """A closed-loop sweep's setup at these request rates, with its largest batch size as the most at once.

    rates: requests per second (`2.5`; `0`: idle), or shares of the measured closed-loop maximum (`50%`),
        which are rounded to three digits, so that repeats have the same rate.
    runs: what was landed; only shares need it.

    Raises:
        SettingsError: a rate cannot be read, or the sweep's task has no requests that arrive.
        CatalogError: a share of a maximum that was not measured.
    """
    size = max(point.batch_size for point in sweep.points)
    repeats = max(point.repeats for point in sweep.points)
    one = sweep.model_copy(update={"points": (SweepPoint(batch_size=size, repeats=repeats),)})
    read = [read_rate(rate) for rate in rates]
    most = _maximum(one, runs) if any(is_share for _, is_share in read) else math.nan
    wanted = sorted({_in_requests(value * most) if is_share else value for value, is_share in read})
    points = tuple(
        SweepPoint(
            batch_size=size, repeats=repeats, request_rate=rate, burstiness=burstiness if rate else None
        )
        for rate in wanted
    )
    try:
        return Sweep.model_validate({**one.model_dump(), "points": points})
    except ValueError as error:
        raise SettingsError(f"request rates: {error}") from error


def read_rate(text: str) -> tuple[float, bool]:
    """(number, whether it is a share) of `2.5` or `50%`.

    Raises:
        SettingsError: it is neither.
    """
    number, is_share = text.strip().removesuffix("%"), text.strip().endswith("%")
    try:
        value = float(number) / (100 if is_share else 1)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise SettingsError(
            f"{text!r} is no request rate: write requests per second (2.5, or 0) or a share (50%)"
        )
    if is_share and value > LARGEST_SHARE:
        raise SettingsError(f"{text!r} is more than {LARGEST_SHARE:.0%} of what can be served")
    return value, is_share


def _maximum(sweep: Sweep, runs: Iterable[Run]) -> float:
    most = closed_loop_maximum(sweep, runs)
    if most is None:
        size = sweep.points[0].batch_size
        raise CatalogError(
            f"no closed loop of {sweep.label()} has been landed, so its maximum is not known: measure batch "
            f"{size} first, or give the rate in requests per second"
        )
    return most


def _in_requests(rate: float) -> float:
    return float(f"{rate:.3g}")
