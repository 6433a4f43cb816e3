"""Counts and windows of a load, by its requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmark_tasks.client.connection import CANCELLED
from benchmark_tasks.meters.meter import Timeline
from benchmark_tasks.results.schema import Run, Window
from benchmark_tasks.results.tables import Series
from benchmark_tasks.vocabulary import Architecture, LengthControl
from expectations.gate.recomputed.contradiction import Contradiction, Pair, compared

if TYPE_CHECKING:
    import pandas as pd

ROUNDING = 1e-6
"""Seconds."""

FEWEST_GAUGE_SAMPLES = 20
"""With fewer samples of the server's gauge, the record has the client's own count of running requests."""


def of_requests(run: Run, requests: pd.DataFrame, timeline: Timeline) -> list[Contradiction]:
    """Totals of the whole load, and what its windows hold."""
    if run.requests is None:
        return []
    pairs = [*_totals(run, requests), *_mean_length(run, requests)]
    if run.configuration.architecture is Architecture.DIFFUSION:
        return compared([*pairs, *_batches_of_window(run.window_steady, requests)])
    for title, window in (("steady", run.window_steady), ("ML.ENERGY's", run.window_mlenergy)):
        pairs += _requests_of_window(title, window, requests, timeline)
    return compared(pairs)


def from_beginning(requests: pd.DataFrame) -> pd.DataFrame:
    """Without those that stand for the rest of an answer."""
    return requests[~requests["under_way"].eq(True)]


def whole_batches(window: Window, requests: pd.DataFrame) -> pd.DataFrame:
    """Batches of images or videos in a window, in order: when each began and ended, and its items."""
    batches = requests.groupby(["sent_seconds", "finished_seconds"]).size().reset_index(name="items")
    begins, ends = batches["sent_seconds"], batches["finished_seconds"]
    assert window.start_seconds is not None and window.end_seconds is not None
    within = (begins >= window.start_seconds - ROUNDING) & (ends <= window.end_seconds + ROUNDING)
    inside: pd.DataFrame = batches[within]
    return inside


def _totals(run: Run, requests: pd.DataFrame) -> list[Pair]:
    assert run.requests is not None
    completed = requests[requests["error"].isna()]
    cancelled = int(requests["error"].eq(CANCELLED).sum())
    fixed = run.comparability.length_control is LengthControl.FIXED
    received = None if run.server is None else run.server.received_tokens
    processes = None if run.client is None else run.client.processes
    return [
        ("duration in seconds", run.requests.duration_seconds, requests["finished_seconds"].max()),
        ("prompt tokens", run.requests.prompt_tokens, completed["prompt_tokens"].sum()),
        ("cancelled requests", run.requests.cancelled, cancelled),
        ("failed requests", run.requests.failed, len(requests) - len(completed) - cancelled),
        ("answers at the length cap", run.requests.at_length_cap if fixed else None, 0),
        ("received tokens", received, requests["output_tokens"].sum()),
        ("client processes", processes, requests["process"].nunique()),
    ]


def _mean_length(run: Run, requests: pd.DataFrame) -> list[Pair]:
    # A run that never settled has no energy per answer. The first such records took the mean of all lengths
    # that were drawn, sent or not, which the files do not have.
    assert run.requests is not None
    settled = run.window_steady is not None and run.window_steady.settled
    whole = from_beginning(requests)
    if run.comparability.length_control is LengthControl.NATURAL:
        mean = requests[requests["error"].isna()]["output_tokens"].mean()
    elif settled:
        mean = whole["max_tokens"].mean()
    else:
        return []
    return [("mean answer length", run.requests.mean_output_tokens, mean)]


def _requests_of_window(
    title: str, window: Window | None, requests: pd.DataFrame, timeline: Timeline
) -> list[Pair]:
    if window is None or window.start_seconds is None or window.end_seconds is None:
        return []
    start, end = window.start_seconds, window.end_seconds
    finished = requests["finished_seconds"]
    ended = requests[(finished > start) & (finished <= end) & requests["error"].isna()]
    per_slot = ended.groupby("slot").size().reindex(requests["slot"].unique(), fill_value=0)
    gauge = timeline.between(start, end).of(Series.RUNNING_REQUESTS)[1]
    overlap = np.minimum(finished, end) - np.maximum(requests["sent_seconds"], start)
    in_flight = np.maximum(overlap, 0).sum() / (end - start) if end > start else None
    running = gauge.mean() if len(gauge) >= FEWEST_GAUGE_SAMPLES else in_flight
    return [
        (f"requests completed in the {title} window", window.completed_requests, len(ended)),
        (f"turnovers of the {title} window", window.turnovers, per_slot.min()),
        (f"running requests of the {title} window", window.mean_running_requests, running),
    ]


def _batches_of_window(window: Window | None, requests: pd.DataFrame) -> list[Pair]:
    if window is None or window.start_seconds is None or window.end_seconds is None:
        return []
    batches = whole_batches(window, requests)
    items, seconds = batches["items"], batches["finished_seconds"] - batches["sent_seconds"]
    lasted = window.end_seconds - window.start_seconds
    running = (items * seconds).sum() / lasted if lasted > 0 else None
    return [
        ("items of the window", window.output_items, items.sum()),
        ("items completed in the window", window.completed_requests, items.sum()),
        ("batches of the window", window.turnovers, len(batches)),
        ("items generated at a time", window.mean_running_requests, running),
    ]
