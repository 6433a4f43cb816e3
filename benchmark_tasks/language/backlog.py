"""The backlog of an open loop: requests that have arrived and not ended. Whether it grows. No clock, no I/O.

A server that keeps up has a backlog that fluctuates around a mean; above its capacity the backlog grows by
the difference between arrivals and answers. Both look alike for a while, so growth counts only where chance
does not explain it. For independent arrivals and times S in the system, the mean over a span L of a
stationary backlog with mean B has the variance 2 B / L * E[S^2] / (2 E[S]) (the M/G/infinity queue), but at
most B; gamma arrivals multiply it by 1 / burstiness where that is above 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmark_tasks.results.schema import Arrivals

DEVIATES = 3.0
"""A growth of more than so many standard deviations is not chance."""

GROWTH_SHARE = 0.02
"""Growth below this share of the arrivals is no overload: the server answers over 98 % of what arrives."""


@dataclass(frozen=True)
class Backlog:
    """The backlog over a window.

    arrived: requests that were sent in it. mean: averaged over time.
    growth_per_second: from the mean over the first third to that over the last.
    deviate: that growth in standard deviations of chance. growth_share: of the arrivals, how many stayed.
    busy_share: of the time, how long at least one request was there.
    """

    arrived: int
    mean: float
    growth_per_second: float
    deviate: float
    growth_share: float
    busy_share: float

    @property
    def grows(self) -> bool:
        """Whether the server does not keep up."""
        return self.deviate > DEVIATES and self.growth_share > GROWTH_SHARE

    @property
    def falls(self) -> bool:
        """Whether more ended than arrived: the window began behind a jam."""
        return self.deviate < -DEVIATES and self.growth_share < -GROWTH_SHARE


def backlog_between(
    sent: np.ndarray, ended: np.ndarray, start: float, end: float, burstiness: float
) -> Backlog:
    """The backlog from `start` to `end`; when each request was sent and ended, seconds."""
    third = (end - start) / 3
    mean, first, last = (
        _mean(sent, ended, begin, begin + lasted)
        for begin, lasted in ((start, end - start), (start, third), (end - third, third))
    )
    inside = (sent > start) & (sent <= end)
    arrived = int(inside.sum())
    growth = (last - first) / (2 * third)
    scatter = _chance(mean, (ended - sent)[inside], third, burstiness)
    return Backlog(
        arrived=arrived,
        mean=mean,
        growth_per_second=growth,
        deviate=(last - first) / scatter if scatter else 0.0,
        growth_share=growth * (end - start) / arrived if arrived else 0.0,
        busy_share=_busy(sent, ended, start, end),
    )


def arrivals_of(
    due: np.ndarray,
    late_seconds: np.ndarray,
    start: float | None,
    end: float | None,
    backlog: Backlog,
    reason: str | None,
) -> Arrivals:
    """What a run records of its arrivals; when each request was due, and how far from that some were sent.

    start, end: of the window; `None` without one, in which nothing was scheduled.
    reason: why the server did not keep up; `None` if it did.
    """
    scheduled = int(((due > start) & (due <= end)).sum()) if start is not None and end is not None else 0
    errors = np.abs(late_seconds) * 1e3
    p50, p99, largest = np.quantile(errors, [0.5, 0.99, 1.0]) if len(errors) else (None, None, None)
    return Arrivals(
        scheduled=scheduled,
        arrived=backlog.arrived,
        error_p50_ms=p50,
        error_p99_ms=p99,
        error_max_ms=largest,
        mean_backlog=backlog.mean,
        backlog_growth_per_second=backlog.growth_per_second,
        backlog_deviate=backlog.deviate,
        busy_share=backlog.busy_share,
        sustained=reason is None,
        reason=reason,
    )


def _mean(sent: np.ndarray, ended: np.ndarray, start: float, end: float) -> float:
    overlap = np.minimum(ended, end) - np.maximum(sent, start)
    return float(np.clip(overlap, 0, None).sum() / (end - start))


def _chance(mean: float, times: np.ndarray, span: float, burstiness: float) -> float:
    """Standard deviation of the difference between two means over a span each."""
    if not len(times) or times.sum() <= 0:
        return 0.0
    remaining = float((times**2).sum() / (2 * times.sum()))
    share = min(1.0, 2 * remaining / span)
    return float(np.sqrt(2 * mean / min(burstiness, 1.0) * share))


def _busy(sent: np.ndarray, ended: np.ndarray, start: float, end: float) -> float:
    """Length of the union of all [sent, ended] inside the window, as a share of it."""
    order = np.argsort(sent)
    begins, stops = np.clip(sent[order], start, end), np.clip(ended[order], start, end)
    covered = np.maximum.accumulate(np.concatenate([[start], stops]))
    fresh = np.clip(covered[1:] - np.maximum(begins, covered[:-1]), 0, None)
    return float(fresh.sum() / (end - start))
