"""Tokens of a window by its requests: answers of one token are written at one moment."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from benchmark_tasks.results.schema import Run
from expectations.gate.recomputed import tokens_in_window

PRICES = Path(__file__).parents[3] / "recorded_runs" / "h200-2026-11-29-prices-all"


@pytest.mark.parametrize(
    "run_id", ["01a2286b-fe09-783f-8b2e-6d88a9da49bc", "01a2287a-1771-7774-a9d0-c12c33e46f4d"]
)
def test_prompts_with_one_token_out_have_as_many_as_answers_came_in_the_window(run_id: str) -> None:
    run = Run.model_validate_json((PRICES / run_id / "run.json").read_text())
    requests = pd.read_parquet(PRICES / run_id / "requests.parquet")
    for window in (run.window_steady, run.window_mlenergy):
        assert window is not None
        assert tokens_in_window(window, requests) == window.output_tokens
