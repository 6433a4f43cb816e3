"""Latencies of a run, by its requests and by the pieces of those answers whose pieces were kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from benchmark_tasks.client.latency import BURST_SECONDS
from benchmark_tasks.results.histogram import bin_edges_seconds
from benchmark_tasks.results.schema import Latency, Quantiles, Run
from expectations.gate.recomputed.contradiction import Contradiction, Pair, compared
from expectations.gate.recomputed.load import from_beginning, whole_batches

if TYPE_CHECKING:
    import pandas as pd

_STANDARD_ERRORS = 4
_LEVELS = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}


def of_latencies(run: Run, requests: pd.DataFrame) -> list[Contradiction]:
    """Every quantile of the record.

    Those of the inter-token latency must lie in the bin of the record's own histogram, whose mean and count
    the requests confirm (`mean_itl_ms`, `histogram_mean_ms`).
    """
    latency, window = run.latency, run.window_steady
    if latency is None:
        return []
    if run.requests is None or run.requests.output_tokens is None:
        if window is None or window.start_seconds is None or window.end_seconds is None:
            return []
        batches = whole_batches(window, requests)
        seconds = batches["finished_seconds"] - batches["sent_seconds"]
        return compared(_quantiles("time of an item", latency.e2e_ms, np.repeat(seconds, batches["items"])))
    whole = _served(requests)
    first = whole["first_token_seconds"] - whole["sent_seconds"]
    all_of_it = whole["finished_seconds"] - whole["sent_seconds"]
    return compared(
        [
            *_quantiles("time to the first token", latency.ttft_ms, first),
            *_quantiles("time of a request", latency.e2e_ms, all_of_it),
            *_of_histogram(latency),
            *_histogram_count(latency, requests),
        ]
    )


def median_e2e_ms(requests: pd.DataFrame) -> float | None:
    """Median time of the requests served from beginning to end."""
    whole = _served(requests)
    seconds = whole["finished_seconds"] - whole["sent_seconds"]
    return None if whole.empty else float(seconds.median() * 1000)


def mean_itl_ms(requests: pd.DataFrame) -> float | None:
    """Mean time per token after the first piece of an answer, by when answers began and ended."""
    whole = _served(requests)
    gaps = _tokens_after_first(whole, _first_pieces(requests))
    writing = (whole["finished_seconds"] - whole["first_token_seconds"]).sum()
    return float(writing / gaps * 1000) if gaps > 0 else None


def histogram_mean_ms(latency: Latency | None) -> float | None:
    """Mean inter-token latency by the record's histogram, whose bins are 4.7 % wide."""
    if latency is None or not latency.itl_histogram:
        return None
    bins, counts = _sorted(latency.itl_histogram)
    middles = [np.sqrt(np.prod(bin_edges_seconds(int(bin_)))) for bin_ in bins]
    return float(np.average(middles, weights=counts) * 1000) if counts.sum() else None


def median_itl_of_pieces_ms(requests: pd.DataFrame) -> float | None:
    """Median inter-token latency of the answers whose pieces were kept; `None` where none were."""
    latencies, tokens = [np.array([])], [np.array([], dtype=int)]
    for gaps, count in _arrivals(requests):
        latencies.append((gaps / np.maximum(count, 1))[1:])
        tokens.append(count[1:])
    each = np.repeat(np.concatenate(latencies), np.concatenate(tokens))
    return float(np.median(each) * 1000) if len(each) else None


def _served(requests: pd.DataFrame) -> pd.DataFrame:
    """Completed requests that were served from beginning to end."""
    whole = from_beginning(requests[requests["error"].isna()])
    return whole[whole["first_token_seconds"].notna()]


def _quantiles(name: str, recorded: Quantiles | None, seconds: pd.Series | np.ndarray) -> list[Pair]:
    if recorded is None:
        return []
    values = np.quantile(seconds, list(_LEVELS.values())) * 1000 if len(seconds) else [None] * len(_LEVELS)
    return [
        (f"{name} in ms, {level}", getattr(recorded, level), value)
        for level, value in zip(_LEVELS, values, strict=True)
    ]


def _of_histogram(latency: Latency) -> list[Pair]:
    """The value nearest to a recorded quantile that the bins at its rank allow."""
    if latency.itl_ms is None:
        return []
    bins, counts = _sorted(latency.itl_histogram)
    pairs: list[Pair] = []
    for name, level in _LEVELS.items():
        recorded, nearest = getattr(latency.itl_ms, name), None
        if counts.sum():
            rank, upto = level * (counts.sum() - 1), np.cumsum(counts)
            low = bin_edges_seconds(int(bins[np.searchsorted(upto, np.floor(rank), side="right")]))[0]
            high = bin_edges_seconds(int(bins[np.searchsorted(upto, np.ceil(rank), side="right")]))[1]
            nearest = float(np.clip(recorded, low * 1000, high * 1000))
        pairs.append((f"inter-token latency in ms, {name}", recorded, nearest))
    return pairs


def _histogram_count(latency: Latency, requests: pd.DataFrame) -> list[Pair]:
    """One latency per token after the first piece.

    What the first pieces held is known of the kept answers only. For the others it is their mean, which may
    be off by as much as such pieces differ.
    """
    if not latency.itl_histogram:
        return []
    counted = sum(latency.itl_histogram.values())
    whole = _served(requests)
    firsts = _first_pieces(requests)
    expected = _tokens_after_first(whole, firsts)
    unknown, known = int(whole["chunk_gap_us"].isna().sum()), max(len(firsts), 1)
    doubt = _STANDARD_ERRORS * float(np.std(firsts or [1])) * (unknown**0.5 + unknown / known**0.5)
    near = counted if abs(counted - expected) <= 0.01 * expected + doubt else expected
    return [("inter-token latencies in the histogram", counted, near)]


def _tokens_after_first(whole: pd.DataFrame, firsts: list[int]) -> float:
    """Tokens of answers without their first pieces.

    whole: the answers. firsts: first pieces of all kept answers; their mean (1 without any) stands for those
    that were not kept.
    """
    unknown = int(whole["chunk_gap_us"].isna().sum())
    mean = float(np.mean(firsts)) if firsts else 1.0
    return float(whole["output_tokens"].sum() - sum(_first_pieces(whole)) - unknown * mean)


def _first_pieces(requests: pd.DataFrame) -> list[int]:
    """Tokens of the first arrival of each answer whose pieces were kept."""
    return [int(count[0]) for _, count in _arrivals(requests)]


def _arrivals(requests: pd.DataFrame) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Of each answer whose pieces were kept: seconds before each arrival, and tokens in it.

    Pieces closer together than `BURST_SECONDS` were held up on the way: one arrival (`client.latency`).
    """
    kept = requests[requests["chunk_gap_us"].notna()]
    for gaps_us, pieces in zip(kept["chunk_gap_us"], kept["chunk_tokens"], strict=True):
        gaps = np.asarray(gaps_us) / 1e6
        begins = gaps >= BURST_SECONDS
        begins[:1] = True
        if len(gaps):
            yield gaps[begins], np.bincount(np.cumsum(begins) - 1, weights=pieces).astype(int)


def _sorted(histogram: dict[int, int]) -> tuple[np.ndarray, np.ndarray]:
    bins = np.array(sorted(histogram), dtype=int)
    return bins, np.array([histogram[int(bin_)] for bin_ in bins], dtype=int)
