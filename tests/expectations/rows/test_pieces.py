"""Pieces whose times were rounded: what was counted before the rounding is confirmed, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark_tasks.client.connection import Trace
from benchmark_tasks.client.events import Events
from benchmark_tasks.client.latency import inter_token_seconds
from benchmark_tasks.results import bundle
from benchmark_tasks.results.schema import Quantiles
from benchmark_tasks.results.tables import REQUESTS, write_table
from benchmark_tasks.testing.samples import sample_run, write_sample
from expectations.rows.bundles import figures_of
from expectations.rows.pieces import Pieces

LEVELS = (0.5, 0.9, 0.95, 0.99)
NEAR_A_BURST = st.integers(499_400, 500_600)
GAPS = st.one_of(NEAR_A_BURST, st.integers(1_000, 30_000_000))
ANSWERS = st.lists(
    st.lists(st.tuples(GAPS, st.integers(1, 4)), min_size=1, max_size=12), min_size=1, max_size=6
)


def events(answers: list[list[tuple[int, int]]]) -> Events:
    """Answers of pieces: (nanoseconds since the piece before, tokens)."""
    traces = []
    for index, answer in enumerate(answers):
        one = Trace(index, index, max_tokens=10)
        one.sent_ns = 1
        one.arrival_ns = np.cumsum([gap for gap, _ in answer]).tolist()
        one.arrival_tokens = [tokens for _, tokens in answer]
        one.output_tokens = sum(one.arrival_tokens)
        one.finished_ns = one.arrival_ns[-1]
        traces.append((0, one))
    return Events.from_traces(traces)


def pieces(seen: Events) -> Pieces:
    return Pieces.of(pd.DataFrame(seen.rows(), columns=REQUESTS.names))


@given(ANSWERS)
def test_quantiles_before_the_rounding_lie_between_the_bounds(answers: list[list[tuple[int, int]]]) -> None:
    seen = events(answers)
    seconds, tokens = inter_token_seconds(seen, seen.completed)
    counted = np.repeat(seconds, tokens)
    low, high = pieces(seen).inter_token_seconds()
    assert len(low) == len(high)
    for level in LEVELS if len(counted) else ():
        exact = np.quantile(counted, level)
        assert np.quantile(low, level) <= exact * (1 + 1e-9)
        assert exact <= np.quantile(high, level) * (1 + 1e-9)


@given(ANSWERS, st.data())
def test_tokens_of_windows_between_arrivals_lie_between_the_bounds(
    answers: list[list[tuple[int, int]]], data: st.DataObject
) -> None:
    seen = events(answers)
    edge = st.sampled_from(seen.chunk_seconds.tolist())
    start, end = sorted((data.draw(edge), data.draw(edge)))
    fewest, most = pieces(seen).tokens_between(start, end)
    assert fewest <= seen.tokens_between(start, end) <= most


def test_without_a_doubtful_piece_the_bounds_are_half_a_microsecond_apart() -> None:
    low, high = pieces(
        events([[(9_000_000, 1), (8_000_000, 1), (400_000, 1), (6_000_000, 1)]])
    ).inter_token_seconds()
    assert low == pytest.approx([0.0039998, 0.0039998, 0.0059995], abs=1e-7)
    assert high == pytest.approx([0.0040003, 0.0040003, 0.0060005], abs=1e-7)


def test_a_piece_after_500_microseconds_may_belong_to_the_arrival_before() -> None:
    low, high = pieces(events([[(9_000_000, 1), (8_000_000, 1), (499_700, 1)]])).inter_token_seconds()
    assert low == pytest.approx([0.004, 0.0005], abs=1e-6)
    assert high == pytest.approx([0.008, 0.004], abs=1e-6)


def test_a_window_that_ends_with_an_answer_has_its_last_token() -> None:
    """Each gap is rounded up, so that the last piece seems to come after the end."""
    seen = events([[(1_000_000, 1), *[(2_000_700, 1)] * 9]])
    end = float(seen.finished_seconds[0])
    assert pieces(seen).tokens_between(0, end) == (9, 10)
    assert pieces(seen).tokens_between(0, end - 0.001) == (9, 9)


def test_no_pieces() -> None:
    assert pieces(events([])).tokens_between(0, 1) == (0, 0)
    assert [len(each) for each in pieces(events([])).inter_token_seconds()] == [0, 0]


@pytest.mark.parametrize(("recorded_ms", "is_confirmed"), [(4, True), (8, True), (3.9, False), (8.1, False)])
def test_a_record_of_either_reading_is_confirmed_and_no_other(
    recorded_ms: float, is_confirmed: bool, tmp_path: Path
) -> None:
    run = sample_run()
    assert run.latency is not None
    folder = write_sample(tmp_path, run)
    requests = pq.read_table(folder / bundle.REQUESTS_FILE).to_pylist()
    for row in requests:
        pieces = row["output_tokens"]
        row |= {"chunk_gap_us": [0, *[8000, 500] * pieces][:pieces], "chunk_tokens": [1] * pieces}
    write_table(folder / bundle.REQUESTS_FILE, requests, REQUESTS)
    (folder / bundle.CHECKSUMS_FILE).unlink()
    median = Quantiles(p50=recorded_ms, p90=8, p95=8, p99=8)
    run = run.model_copy(update={"latency": run.latency.model_copy(update={"itl_ms": median})})
    bundle.write_record(folder, run)
    figure = figures_of(run, folder)["median_itl_ms"]
    assert (figure == recorded_ms) is is_confirmed
