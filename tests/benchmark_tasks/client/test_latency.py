"""Latencies of loads made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark_tasks.client.connection import Trace
from benchmark_tasks.client.events import Events
from benchmark_tasks.client.latency import inter_token_seconds, latency_of
from benchmark_tasks.results.histogram import bin_edges_seconds, histogram


def events(*answers: list[tuple[float, int]], error: str | None = None) -> Events:
    """One request per answer, each sent at 0: (arrival in ms, tokens)."""
    traces = []
    for index, answer in enumerate(answers):
        one = Trace(index, index, max_tokens=10, error=error)
        one.sent_ns = 1
        one.arrival_ns = [int(ms * 1e6) + 1 for ms, _ in answer]
        one.arrival_tokens = [tokens for _, tokens in answer]
        one.output_tokens = sum(one.arrival_tokens)
        one.finished_ns = one.arrival_ns[-1]
        traces.append((0, one))
    return Events.from_traces(traces)


def test_a_chunk_of_several_tokens_shares_its_gap() -> None:
    seen = events([(10, 1), (20, 1), (50, 3)])
    seconds, tokens = inter_token_seconds(seen, seen.completed)
    assert seconds == pytest.approx([0.010, 0.010]) and tokens.tolist() == [1, 3]


def test_chunks_delivered_in_one_burst_are_one_arrival() -> None:
    seen = events([(10, 1), (20, 1), (50, 1), (50.1, 1), (50.2, 1)])
    seconds, tokens = inter_token_seconds(seen, seen.completed)
    assert seconds == pytest.approx([0.010, 0.010]) and tokens.tolist() == [1, 3]


def test_the_gap_between_two_requests_is_nobodys_latency() -> None:
    seen = events([(10, 1), (20, 1)], [(500, 1), (510, 1)])
    latency = latency_of(seen)
    assert latency.itl_ms.p99 == pytest.approx(10)
    assert latency.ttft_ms.p50 == pytest.approx((10 + 500) / 2)


def test_failed_requests_do_not_count() -> None:
    latency = latency_of(events([(10, 1), (20, 1)], error="broke"))
    assert latency.itl_ms is None and latency.ttft_ms is None and latency.itl_histogram == {}


def test_nothing_at_all() -> None:
    assert latency_of(Events.from_traces([])).itl_ms is None


@given(st.lists(st.tuples(st.floats(1e-5, 50), st.integers(1, 20)), min_size=1, max_size=50))
def test_histogram_keeps_every_latency_in_the_bin_it_belongs_to(latencies: list[tuple[float, int]]) -> None:
    seconds, weights = (np.array(column) for column in zip(*latencies, strict=True))
    counts = histogram(seconds, weights)
    assert sum(counts.values()) == weights.sum()
    for value in seconds:
        assert any(
            low <= value * (1 + 1e-9) and value * (1 - 1e-9) < high
            for low, high in map(bin_edges_seconds, counts)
        )
