"""What a model server's counters say of a window: processor time, and time spent preparing requests."""

from __future__ import annotations

import numpy as np

from benchmark_tasks.meters.meter import Timeline
from benchmark_tasks.results.schema import Window
from benchmark_tasks.results.tables import Series


def preprocessing_ms(metrics: Timeline, window: Window) -> float | None:
    """Mean time of a request at the server outside its engine; of the requests that ended in the window.

    vLLM starts a request's clock before it touches its content, and the engine's clocks when it queues
    there: what is left is the decoding and preparing of pictures, chat template and tokenizing, and the
    way to the engine and back.
    """
    ended = gained(metrics, Series.FINISHED_REQUESTS, window)
    parts = (Series.REQUEST_SECONDS, Series.QUEUE_SECONDS, Series.INFERENCE_SECONDS)
    seconds = [gained(metrics, series, window) for series in parts]
    if not ended or None in seconds:
        return None
    whole, queue, inference = seconds
    left = whole - queue - inference  # type: ignore[operator]
    return 1e3 * left / ended if left >= 0 else None


def gained(metrics: Timeline, series: Series, window: Window) -> float | None:
    """By how much a counter grew over a window, interpolated at its edges; `None` where it is not known."""
    seconds, values = metrics.of(series)
    start, end = window.start_seconds, window.end_seconds
    if start is None or end is None or not len(seconds) or seconds[0] > start or seconds[-1] < end:
        return None
    if np.any(np.diff(values) < 0):
        return None
    at_start, at_end = np.interp([start, end], seconds, values)
    return float(at_end - at_start)
