"""Tokens of a window by its requests: answers of one token are written at one moment."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from benchmark_tasks.results.schema import Run
from expectations.gate.recomputed import tokens_in_window

PRICES = Path(__file__).parents[3] / "recorded_runs" / "h200-2026-11-29-prices"


@pytest.mark.parametrize(
    "run_id", ["01a226eb-4872-72d6-9ad5-7130a15067d4", "01a226eb-ffb0-7584-905a-570b0c600d45"]
)
def test_prompts_with_one_token_out_have_as_many_as_answers_came_in_the_window(run_id: str) -> None:
    run = Run.model_validate_json((PRICES / run_id / "run.json").read_text())
    requests = pd.read_parquet(PRICES / run_id / "requests.parquet")
    for window in (run.window_steady, run.window_mlenergy):
        assert window is not None
        assert tokens_in_window(window, requests) == window.output_tokens
