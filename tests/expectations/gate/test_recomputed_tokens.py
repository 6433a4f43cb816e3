"""Tokens of a window by its requests, at the pace of the server's counter."""

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
from expectations.gate.recomputed import paced_tokens_in_window, tokens_in_window

RECORDED = Path(__file__).parents[3] / "recorded_runs"
PRICES = RECORDED / "h200-2026-11-29-prices-all"
NO_METRICS = Timeline.from_readings([], 0)


@pytest.mark.parametrize(
    "run_id", ["01a2286b-fe09-783f-8b2e-6d88a9da49bc", "01a2287a-1771-7774-a9d0-c12c33e46f4d"]
)
def test_prompts_with_one_token_out_have_as_many_as_answers_came_in_the_window(run_id: str) -> None:
    run = bundle.read_record(PRICES / run_id)
    requests = pd.read_parquet(PRICES / run_id / bundle.REQUESTS_FILE)
    for window in (run.window_steady, run.window_mlenergy):
        assert window is not None
        assert tokens_in_window(window, requests) == window.output_tokens


def server(*counted: float) -> Timeline:
    """What the server counted until 0, 10, 50, 60 and 110 s."""
    at = np.array([0.0, 10.0, 50.0, 60.0, 110.0])[: len(counted)]
    names = np.array([Series.GENERATED_TOKENS.value] * len(counted), dtype=object)
    return Timeline(names, np.full(len(counted), -1), at, np.array(counted))


STOPPED = pd.DataFrame({"first_token_seconds": [5.0], "finished_seconds": [105.0], "output_tokens": [1001]})
"""An answer that was written from 5 to 105 s: 400 tokens from 10 to 50 s, if evenly."""
TWO = pd.DataFrame(
    {"first_token_seconds": [5.0, 50.5], "finished_seconds": [60.0, 110.0], "output_tokens": [101, 401]}
)
"""One answer, and from 50.5 s on another beside it."""


WINDOW = Window(settled=True, start_seconds=10.0, end_seconds=50.0, output_tokens=1)


@pytest.mark.parametrize(
    ("answers", "said", "expected"),
    [
        # From 5 to 105 s it counts 20 + 480 + 0 + 500 tokens, less the last tenth of them.
        (STOPPED, server(0, 40, 520, 520, 1020), 1000 * 480 / (20 + 480 + 450)),
        # A counter that counts each token twice has the same shape.
        (STOPPED, server(0, 80, 1040, 1040, 2040), 1000 * 480 / (20 + 480 + 450)),
        # Beside the second answer the first has half of what is counted.
        (TWO, server(0, 10, 50, 70, 170), 100 * 40 / (5 + 40 + 1 + 9.5)),
        # Nothing is counted while it is written.
        (STOPPED, server(0, 0, 0, 0, 0), 400),
        # Readings that end before the answer does, or go backwards, tell nothing.
        (STOPPED, server(0, 40, 520, 520), None),
        (STOPPED, server(0, 40, 520, 500, 1020), None),
        (STOPPED, NO_METRICS, None),
    ],
)
def test_answers_are_written_at_the_pace_of_the_server(
    answers: pd.DataFrame, said: Timeline, expected: float | None
) -> None:
    paced = paced_tokens_in_window(WINDOW, answers, said)
    assert paced == (None if expected is None else pytest.approx(expected))
    assert tokens_in_window(WINDOW, STOPPED) == pytest.approx(400)


@pytest.mark.parametrize(
    ("run", "if_even"),
    [
        pytest.param("h200-2026-11-30-precision/01a22ca3-29bb-7ac1-bc2c-c1e2ddf8208f", 0.139, id="preempted"),
        pytest.param(
            "h200-2026-11-30-precision-larger/01a22e10-3469-7bbd-b242-20cf8192bbf5", 0.190, id="long prompts"
        ),
        pytest.param(
            "h200-2026-11-29-load-again/01a2286e-e6a3-71b3-8884-b5eb4d276c95", -0.053, id="open loop"
        ),
    ],
)
def test_recorded_answers_that_were_not_written_evenly_were_written_at_the_server_s_pace(
    run: str, if_even: float
) -> None:
    """Requests that waited as memory was full; 64 long prompts first; a load that came and went."""
    record = bundle.read_record(RECORDED / run)
    requests = pd.read_parquet(RECORDED / run / bundle.REQUESTS_FILE)
    timeline = Timeline.from_table(pq.read_table(RECORDED / run / bundle.TIMELINES_FILE))
    assert record.window_steady is not None
    told = (
        tokens_in_window(record.window_steady, requests),
        paced_tokens_in_window(record.window_steady, requests, timeline),
    )
    apart = [(record.window_steady.output_tokens or 0) / (tokens or 0) - 1 for tokens in told]
    assert apart == pytest.approx([if_even, 0.0], abs=0.005)
