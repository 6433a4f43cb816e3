"""Tokens of a window by its requests and by the server's counter, whichever is nearer to the record."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from benchmark_tasks.meters.meter import Timeline
from benchmark_tasks.results import bundle
from benchmark_tasks.results.schema import Window
from benchmark_tasks.results.tables import Series
from expectations.gate.recomputed import tokens_in_window

RECORDED = Path(__file__).parents[3] / "recorded_runs"
PRICES = RECORDED / "h200-2026-11-29-prices-all"
PREEMPTED = RECORDED / "h200-2026-11-30-precision"
NO_METRICS = Timeline.from_readings([], 0)


@pytest.mark.parametrize(
    "run_id", ["01a2286b-fe09-783f-8b2e-6d88a9da49bc", "01a2287a-1771-7774-a9d0-c12c33e46f4d"]
)
def test_prompts_with_one_token_out_have_as_many_as_answers_came_in_the_window(run_id: str) -> None:
    run = bundle.read_record(PRICES / run_id)
    requests = pd.read_parquet(PRICES / run_id / bundle.REQUESTS_FILE)
    for window in (run.window_steady, run.window_mlenergy):
        assert window is not None
        assert tokens_in_window(window, requests, NO_METRICS) == window.output_tokens


def server(tokens: float, preemptions: float) -> Timeline:
    """A server's counters that span a window from 10 to 50 s; the tokens that it generated in it."""
    at = np.array([0.0, 10.0, 50.0, 60.0])
    values = [0.0, 100.0, 100.0 + tokens, 200.0 + tokens], [0.0, 0.0, preemptions, preemptions]
    names = [Series.GENERATED_TOKENS.value] * 4 + [Series.PREEMPTIONS.value] * 4
    return Timeline(np.array(names, dtype=object), np.full(8, -1), np.tile(at, 2), np.concatenate(values))


WAITED = pd.DataFrame({"first_token_seconds": [5.0], "finished_seconds": [105.0], "output_tokens": [1000]})
"""An answer that was preempted: 480 of its 1,000 tokens came from 10 to 50 s, where 400 would be even."""


def window_of(tokens: int | None) -> Window:
    return Window(settled=True, start_seconds=10.0, end_seconds=50.0, output_tokens=tokens)


@pytest.mark.parametrize(
    ("recorded", "said", "witness"),
    [
        (480, server(482.0, preemptions=3), 482.0),
        (400, server(482.0, preemptions=3), 400.0),
        (960, server(482.0, preemptions=3), 482.0),
        (480, server(482.0, preemptions=0), 400.0),
        (800, server(800.0, preemptions=3), 400.0),
        (480, NO_METRICS, 400.0),
        (480, server(482.0, preemptions=3).between(15, 60), 400.0),
        (None, server(482.0, preemptions=3), 400.0),
    ],
)
def test_the_server_tells_the_tokens_of_answers_that_waited(
    recorded: int | None, said: Timeline, witness: float
) -> None:
    """Only where it says that some waited, and not twice the tokens that the requests tell."""
    assert tokens_in_window(window_of(recorded), WAITED, said) == pytest.approx(witness)


def test_a_recorded_run_with_preempted_requests_is_confirmed_by_its_server() -> None:
    """Qwen3-32B with batch 256: answers written evenly would have given 13.9 % fewer tokens."""
    apart = []
    for folder in sorted(PREEMPTED.iterdir()):
        run = bundle.read_record(folder)
        if run.server is None or not run.server.preemptions or run.window_steady is None:
            continue
        requests = pd.read_parquet(folder / bundle.REQUESTS_FILE)
        timeline = Timeline.from_table(pq.read_table(folder / bundle.TIMELINES_FILE))
        recorded = run.window_steady.output_tokens or 0
        apart += [
            recorded / (tokens_in_window(run.window_steady, requests, metrics) or 0) - 1
            for metrics in (NO_METRICS, timeline)
        ]
    assert apart == pytest.approx([0.139, 0.0], abs=0.005)
