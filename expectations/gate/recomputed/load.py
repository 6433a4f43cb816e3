"""Counts and windows of a load, by its requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmark_tasks.client.connection import CANCELLED
from benchmark_tasks.language.backlog import backlog_between
from benchmark_tasks.meters.meter import Timeline
from benchmark_tasks.results.identity import POISSON
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
    if requests.empty and run.configuration.request_rate == 0:
        return []
    pairs = [*_totals(run, requests), *_mean_length(run, requests), *_arrivals(run, requests)]
    if run.configuration.architecture is Architecture.DIFFUSION:
        return compared([*pairs, *_batches_of_window(run.window_steady, requests)])
    gauge = timeline if not run.configuration.is_open else None
    for title, window in (("steady", run.window_steady), ("ML.ENERGY's", run.window_mlenergy)):
        pairs += _requests_of_window(title, window, requests, gauge)
    return compared(pairs)


def counted_for_latency(run: Run, requests: pd.DataFrame) -> pd.DataFrame:
    """In an open loop, those that were sent in the window, if it has one; otherwise all."""
    window = run.window_steady
    if not run.configuration.is_open or window is None or window.start_seconds is None:
        return requests
    sent = requests["sent_seconds"]
    return requests[(sent > window.start_seconds) & (sent <= window.end_seconds)]


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


def _arrivals(run: Run, requests: pd.DataFrame) -> list[Pair]:
    """What the record says of arrivals and backlog, by when requests were due, sent and ended."""
    recorded, window = run.arrivals, run.window_steady
    if recorded is None or window is None:
        return []
    sent, due = requests["sent_seconds"].to_numpy(), requests["due_seconds"].to_numpy(dtype=float)
    errors = np.abs(sent - due)[~requests["error"].eq(CANCELLED).to_numpy()] * 1e3
    known = len(errors) > 0 and not np.isnan(errors).any()
    p50, p99, largest = np.quantile(errors, [0.5, 0.99, 1.0]).tolist() if known else [None] * 3
    pairs: list[Pair] = [
        ("arrival error in ms, p50", recorded.error_p50_ms, p50),
        ("arrival error in ms, p99", recorded.error_p99_ms, p99),
        ("largest arrival error in ms", recorded.error_max_ms, largest),
    ]
    start, end = window.start_seconds, window.end_seconds
    if start is None or end is None or end <= start:
        return pairs
    ended, burstiness = requests["finished_seconds"].to_numpy(), run.configuration.burstiness or POISSON
    backlog = backlog_between(sent, ended, start, end, burstiness)
    return [
        *pairs,
        ("scheduled arrivals", recorded.scheduled, ((due > start) & (due <= end)).sum()),
        ("requests sent in the window", recorded.arrived, backlog.arrived),
        ("mean backlog", recorded.mean_backlog, backlog.mean),
        ("growth of the backlog", recorded.backlog_growth_per_second, backlog.growth_per_second),
        ("deviation of the backlog", recorded.backlog_deviate, backlog.deviate),
        ("busy share", recorded.busy_share, backlog.busy_share),
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
    title: str, window: Window | None, requests: pd.DataFrame, timeline: Timeline | None
) -> list[Pair]:
    """timeline: the server's gauge, where the record prefers it to the client's count."""
    if window is None or window.start_seconds is None or window.end_seconds is None:
        return []
    start, end = window.start_seconds, window.end_seconds
    finished = requests["finished_seconds"]
    ended = requests[(finished > start) & (finished <= end) & requests["error"].isna()]
    per_slot = ended.groupby("slot").size().reindex(requests["slot"].unique(), fill_value=0)
    gauge = timeline.between(start, end).of(Series.RUNNING_REQUESTS)[1] if timeline is not None else ()
    overlap = np.minimum(finished, end) - np.maximum(requests["sent_seconds"], start)
    in_flight = np.maximum(overlap, 0).sum() / (end - start) if end > start else None
    running = float(np.mean(gauge)) if len(gauge) >= FEWEST_GAUGE_SAMPLES else in_flight
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
