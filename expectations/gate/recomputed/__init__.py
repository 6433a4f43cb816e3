"""What a record says, worked out again from the bundle's own files: a second witness for its figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark_tasks.meters.meter import Timeline
from benchmark_tasks.results.schema import Run
from expectations.gate.recomputed.answers import of_answers
from expectations.gate.recomputed.contradiction import Contradiction, compared, largest_contradiction
from expectations.gate.recomputed.latency import (
    histogram_mean_ms,
    mean_itl_ms,
    median_e2e_ms,
    median_itl_of_pieces_ms,
    of_latencies,
)
from expectations.gate.recomputed.load import counted_for_latency, of_requests
from expectations.gate.recomputed.parts import odd_parts, of_parts, of_sub_windows, trend
from expectations.gate.recomputed.timelines import mean_watts_of_load, of_timelines
from expectations.gate.recomputed.tokens import paced_tokens_in_window, tokens_in_window

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Contradiction",
    "compared",
    "contradictions",
    "counted_for_latency",
    "histogram_mean_ms",
    "largest_contradiction",
    "mean_itl_ms",
    "mean_watts_of_load",
    "median_e2e_ms",
    "median_itl_of_pieces_ms",
    "odd_parts",
    "of_answers",
    "of_sub_windows",
    "paced_tokens_in_window",
    "tokens_in_window",
    "trend",
]


def contradictions(run: Run, requests: pd.DataFrame, timeline: Timeline) -> list[Contradiction]:
    """Every figure of the record that its files give as well, beside what they give."""
    return [
        *of_timelines(run, timeline),
        *of_requests(run, requests, timeline),
        *of_latencies(run, counted_for_latency(run, requests)),
        *of_parts(run.window_steady),
        *of_parts(run.window_mlenergy),
    ]
