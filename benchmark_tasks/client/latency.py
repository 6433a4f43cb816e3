"""Latencies from recorded events. Pure functions."""

from __future__ import annotations

import numpy as np

from benchmark_tasks.client.events import Events
from benchmark_tasks.results.histogram import histogram
from benchmark_tasks.results.schema import Latency, Quantiles

BURST_SECONDS = 0.0005
"""Arrivals closer together than this come from a buffer: no engine generates tokens of one answer so fast."""

_LEVELS = (0.5, 0.9, 0.95, 0.99)


def latency_of(events: Events, only: np.ndarray | None = None) -> Latency:
    """Quantiles over the completed requests of a load (see `schema.Latency` for the definitions).

    only: mask of the requests that count; `None`: all of them.
    """
    done = events.completed & ~events.under_way & ~np.isnan(events.first_token_seconds)
    if only is not None:
        done &= only
    gaps, tokens = inter_token_seconds(events, done)
    return Latency(
        ttft_ms=quantiles((events.first_token_seconds - events.sent_seconds)[done]),
        itl_ms=quantiles(np.repeat(gaps, tokens)),
        e2e_ms=quantiles((events.finished_seconds - events.sent_seconds)[done]),
        itl_histogram=histogram(gaps, tokens),
    )


def inter_token_seconds(events: Events, requests: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(seconds per token, number of tokens) for every arrival after the first of the chosen requests.

    Chunks less than `BURST_SECONDS` apart were held up on the way and count as one arrival; an
    arrival of k tokens after a gap g stands for k latencies of g/k.
    """
    count = len(events.chunk_seconds)
    if count == 0:
        return np.array([]), np.array([], dtype=np.int64)
    gaps = np.diff(events.chunk_seconds, prepend=0.0)
    first = np.zeros(count, dtype=bool)
    starts = events.chunk_offsets[:-1]
    first[starts[starts < events.chunk_offsets[1:]]] = True
    begins = first | (gaps >= BURST_SECONDS)
    tokens = np.bincount(np.cumsum(begins) - 1, weights=events.chunk_tokens).astype(np.int64)
    owner = np.repeat(np.arange(len(events.request_index)), np.diff(events.chunk_offsets))
    keep = ~first[begins] & requests[owner[begins]]
    return gaps[begins][keep] / tokens[keep], tokens[keep]


def quantiles(seconds: np.ndarray) -> Quantiles | None:
    """Quantiles of latencies given in seconds; `None` without any."""
    if len(seconds) == 0:
        return None
    values = np.quantile(seconds, _LEVELS) * 1e3
    return Quantiles(**dict(zip(("p50", "p90", "p95", "p99"), map(float, values), strict=True)))
