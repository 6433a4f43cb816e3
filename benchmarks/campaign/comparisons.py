"""Groups of runs against each other, and one measurement in several places."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from benchmark_tasks.statistics import Change, relative_change
from benchmarks.campaign.rows import Row


@dataclass(frozen=True)
class Comparison:
    """Mean of one group against that of another, at one batch size, on the same GPUs and window.

    energy_half_width: `None` where a group has a single run.
    """

    what: str
    batch_size: int
    gpus: str
    window: str
    one: str
    other: str
    runs: tuple[int, int]
    energy_change: float
    energy_half_width: float | None
    median_itl_change: float | None


def comparisons(rows: list[Row]) -> list[Comparison]:
    """Every pair of groups that share a batch size, GPUs and a window."""
    rows = [row for row in rows if row.joules_per_output is not None]
    pairs = []
    for key in sorted({(row.what, row.batch_size, row.gpus, row.window) for row in rows}):
        same = [row for row in rows if (row.what, row.batch_size, row.gpus, row.window) == key]
        for one, other in combinations(sorted({row.group for row in same}), 2):
            first, second = ([row for row in same if row.group == group] for group in (one, other))
            energy = _change(first, second, "joules_per_output")
            assert energy is not None, "rows without energy were left out"
            itl, runs = _change(first, second, "median_itl_ms"), (len(first), len(second))
            half_width = energy.half_width if min(runs) > 1 else None
            pairs.append(
                Comparison(*key, one, other, runs, energy.share, half_width, itl.share if itl else None)
            )
    return pairs


def _change(first: list[Row], second: list[Row], name: str) -> Change | None:
    """Of a figure, from one group to the other; `None` where a run lacks it."""
    before, after = ([getattr(row, name) for row in group] for group in (first, second))
    return None if None in before + after else relative_change(before, after, equal_spread=True)


@dataclass(frozen=True)
class Spread:
    """The same measured in several places: the mean of each, lowest first."""

    what: str
    batch_size: int
    runtime_version: str
    joules_per_output: dict[str, float]

    @property
    def share(self) -> float:
        """By how much the highest mean is above the lowest."""
        values = list(self.joules_per_output.values())
        return values[-1] / values[0] - 1


def spreads(rows: list[Row], place: Callable[[Row], str], within: Callable[[Row], str]) -> list[Spread]:
    """What was measured in more than one place, all else (and what `within` says) being equal.

    Only our windows, with one client process; servers of their own stand for those of a sweep.
    """
    measured: dict[tuple[str, int, str, str], dict[str, list[float]]] = {}
    for row in rows:
        if row.window == "ours" and row.joules_per_output is not None and row.client_processes == 1:
            key = (row.what, row.batch_size, row.runtime_version, within(row))
            measured.setdefault(key, {}).setdefault(place(row), []).append(row.joules_per_output)
    several = []
    for key in sorted(key for key, places in measured.items() if len(places) > 1):
        means = [(name, float(np.mean(values))) for name, values in measured[key].items()]
        several.append(Spread(*key[:3], dict(sorted(means, key=lambda mean: mean[1]))))
    return several


def between_gpus(rows: list[Row]) -> list[Spread]:
    """GPUs of one host on one day."""
    return spreads(rows, lambda row: row.gpus, lambda row: row.host)


def between_hosts(rows: list[Row]) -> list[Spread]:
    """Hosts and days, each with the GPUs it had."""
    return spreads(rows, lambda row: row.host, lambda _: "")
