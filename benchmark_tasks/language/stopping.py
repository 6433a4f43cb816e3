"""When a load has lasted long enough: the live view, four times per second.

The exact window is found afterwards, from every token (`windows.py`). Here only counters are
known, so everything is asked with a margin.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from benchmark_tasks.client.load import Progress
from benchmark_tasks.errors import MeterError
from benchmark_tasks.language.windows import sub_window_edges
from benchmark_tasks.measuring.steadiness import candidate_starts, is_steady
from benchmark_tasks.meters.energy import energy_between
from benchmark_tasks.meters.meter import Recorder, Timeline
from benchmark_tasks.plan.procedure import Procedure
from benchmark_tasks.statistics import energy_interval

MARGIN_SECONDS = 0.5
DRIFT_MARGIN = 0.8
"""Share of the limit that counts here, so that a window that passes also passes when every token is known."""
FAILED_SHARE_LIMIT = 0.05
FEWEST_FAILURES = 10
SAY_SECONDS = 10
SNAPSHOTS_PER_SUB_WINDOW = 2
"""Fewer than this (a starved machine) would make any load look smooth."""


class Watcher:
    """Follows one load; `enough` says when it may stop (`Procedure`).

    Args:
        devices: the running recorder; `since` is its mark at the start of the run.
        say: gets a line of progress every 10 s.
    """

    def __init__(
        self, procedure: Procedure, devices: Recorder, since: int, say: Callable[[str], None]
    ) -> None:
        self._procedure, self._devices, self._since, self._say = procedure, devices, since, say
        self._at: list[float] = []
        self._tokens: list[float] = []
        self._turnovers: list[np.ndarray] = []
        self._said = -SAY_SECONDS

    @property
    def warm(self) -> bool:
        """Whether the load has got past its beginning."""
        return bool(self._at)

    def enough(self, progress: Progress) -> bool:
        """True once the load may stop: too many failures, or long enough, steady and precise."""
        if progress.failed > max(FEWEST_FAILURES, FAILED_SHARE_LIMIT * progress.sent):
            return True
        if not progress.warm:
            return False
        self._at.append(progress.at_ns / 1e9)
        self._tokens.append(progress.tokens)
        self._turnovers.append(np.array(progress.turnovers, dtype=int))
        self._tell(progress)
        if self._procedure.request_limit is not None:
            return False
        starts = self._long_enough()
        if not starts or len(self._at) < SNAPSHOTS_PER_SUB_WINDOW * self._procedure.sub_windows:
            return False
        readings, limit = self._devices.timeline(0, self._since), self._procedure.drift_limit
        for start in starts:
            tokens, joules = self._parts(start, readings)
            series = [values for values in (tokens, joules) if values is not None]
            if is_steady(series, limit):  # the window will begin here
                return is_steady(series, DRIFT_MARGIN * limit) and self._is_precise(tokens, joules)
        return False

    @property
    def _seconds(self) -> float:
        """Seconds since the load was past its beginning."""
        return self._at[-1] - self._at[0]

    def _long_enough(self) -> list[float]:
        """The starts that leave a window which is long enough."""
        starts, last = candidate_starts(self._at[0], self._at[-1]), self._at[-1]
        return [start for start in starts if last - start >= self._needed_seconds(start)]

    def _needed_seconds(self, start: float) -> float:
        """How long a window from `start` must last.

        Every slot answers `full_turnovers` times inside it, or it takes the long time.
        """
        inside = self._turnovers[-1] - self._turnovers[int(np.searchsorted(self._at, start))]
        turned = len(inside) > 0 and inside.min() >= self._procedure.full_turnovers
        shortest, longest = self._procedure.minimum_window_seconds, self._procedure.long_window_seconds
        return (shortest if turned else max(shortest, longest)) + MARGIN_SECONDS

    def _parts(self, start: float, readings: Timeline) -> tuple[np.ndarray, np.ndarray | None]:
        """Tokens of each sub-window and, where it is metered, joules."""
        edges = sub_window_edges(start, self._at[-1] - MARGIN_SECONDS / 2, self._procedure.sub_windows)
        return np.diff(np.interp(edges, self._at, self._tokens)), _joules(readings, edges)

    def _is_precise(self, tokens: np.ndarray, joules: np.ndarray | None) -> bool:
        target = self._procedure.target_relative_interval
        if target is None or not self._devices.meter.gpus:
            return True
        interval = None if joules is None else energy_interval(joules, tokens)
        return interval is not None and interval <= target

    def _tell(self, progress: Progress) -> None:
        if self._seconds >= self._said + SAY_SECONDS:
            self._said = int(self._seconds)
            self._say(f"  measuring for {self._seconds:.0f} s, {progress.finished} answers")


def _joules(readings: Timeline, edges: np.ndarray) -> np.ndarray | None:
    """Energy of each sub-window by the counter; `None` without a usable one."""
    try:
        spans = pairwise(edges)
        return np.array([energy_between(readings, a, b).counter_joules for a, b in spans])
    except MeterError:
        return None
