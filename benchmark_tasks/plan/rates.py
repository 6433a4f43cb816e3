"""Request rates of an open loop: as a person writes them, and a sweep over them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from pydantic import ValidationError

from benchmark_tasks.errors import CatalogError, SettingsError, first_problem
from benchmark_tasks.plan.landed import closed_loop_maximum
from benchmark_tasks.plan.sweep import Sweep, SweepPoint, unsendable
from benchmark_tasks.results.identity import POISSON
from benchmark_tasks.results.schema import Run

LARGEST_SHARE = 10.0


def at_rates(
    sweep: Sweep,
    rates: Sequence[str],
    runs: Iterable[Run],
    *,
    burstiness: float = POISSON,
    sleep_levels: Sequence[int] = (),
) -> Sweep:
    """A closed-loop sweep's setup at these request rates, with its largest batch size as the most at once.

    rates: requests per second (`2.5`; `0`: idle), or shares of the measured closed-loop maximum (`50%`),
        which are rounded to three digits, so that repeats have the same rate.
    runs: what was landed; only shares need it.
    sleep_levels: how deep the server is put to sleep after its idle window; the only rate is 0 then.

    Raises:
        SettingsError: a rate cannot be read, the sweep's task has no requests that arrive, or its server
            cannot sleep.
        CatalogError: a share of a maximum that was not measured.
    """
    shares = any(is_share for _, is_share in map(read_rate, rates))
    return _at(sweep, rates, _maximum(sweep, runs) if shares else math.nan, burstiness, sleep_levels)


def _at(
    sweep: Sweep,
    rates: Sequence[str],
    most: float,
    burstiness: float = POISSON,
    sleep_levels: Sequence[int] = (),
) -> Sweep:
    """The sweep at these rates. most: what shares are of, requests per second."""
    size = max(point.batch_size for point in sweep.points)
    repeats = max(point.repeats for point in sweep.points)
    read = map(read_rate, rates)
    wanted = sorted({_in_requests(value * most) if is_share else value for value, is_share in read})
    try:
        points = tuple(
            SweepPoint(
                batch_size=size, repeats=repeats, request_rate=rate, burstiness=burstiness if rate else None
            )
            for rate in wanted
        )
        levels = tuple(sorted(set(sleep_levels)))
        return Sweep.model_validate({**sweep.model_dump(), "points": points, "sleep_levels": levels})
    except ValidationError as error:
        raise SettingsError(first_problem(error, "request rates")) from error


def read_rates(text: str | None) -> list[str]:
    """Each rate of a list as a person writes it in one text: `0, 50%, 2.5`; none if it is empty.

    Raises:
        SettingsError: one of them cannot be read.
    """
    rates = re.sub(r"\s+%", "%", text or "").replace(",", " ").split()
    for rate in rates:
        read_rate(rate)
    return rates


def at_rates_of_policy(sweep: Sweep, rates: Sequence[str], runs: Sequence[Run]) -> Sweep | None:
    """A release's sweep at the rates of the policy; `None` as long as a share is of nothing that was landed.

    Shares are of the maximum under the release that was measured first: all releases have equal rates.

    Raises:
        SettingsError: see `at_rates`.
    """
    if not any(is_share for _, is_share in map(read_rate, rates)):
        return _at(sweep, rates, math.nan)
    versions: dict[str, datetime] = {}
    for run in runs:
        if (run.configuration.model_id, run.configuration.task) == (sweep.model_id, sweep.task):
            version = run.comparability.runtime_version
            versions[version] = min(versions.get(version, run.finished_at), run.finished_at)
    for version in sorted(versions, key=lambda version: versions[version]):
        if most := closed_loop_maximum(sweep.model_copy(update={"runtime_version": version}), runs):
            return _at(sweep, rates, most)
    return None


def read_rate(text: str) -> tuple[float, bool]:
    """(number, whether it is a share) of `2.5` or `50%`.

    Raises:
        SettingsError: it is neither, or nothing can be sent so often.
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
    if not is_share and (why := unsendable(value)):
        raise SettingsError(why)
    return value + 0.0, is_share  # `-0` is 0


def _maximum(sweep: Sweep, runs: Iterable[Run]) -> float:
    most = closed_loop_maximum(sweep, runs)
    if most is None:
        size = max(point.batch_size for point in sweep.points)
        raise CatalogError(
            f"no closed loop of {sweep.label()} has been landed, so its maximum is not known: measure batch "
            f"{size} first, or give the rate in requests per second"
        )
    return most


def _in_requests(rate: float) -> float:
    return float(f"{rate:.3g}")
