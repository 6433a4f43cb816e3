"""Latencies that the gate works out again from the requests of a bundle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmark_tasks.results.schema import Latency
from expectations.gate.recomputed.latency import _histogram_count


def _requests(firsts: list[int], later: int, *, kept: int, cut_short: int = 0) -> pd.DataFrame:
    """Answers of a first piece and `later` pieces of a token; the last `cut_short` did not complete."""
    rows: list[dict[str, Any]] = []
    for number, first in enumerate(firsts):
        gaps, pieces = np.array([0] + [5000] * later), np.array([first] + [1] * later)
        rows.append(
            {
                "error": "cut off" if number >= len(firsts) - cut_short else None,
                "under_way": False,
                "first_token_seconds": 1.0,
                "output_tokens": first + later,
                "chunk_gap_us": gaps if number < kept else None,
                "chunk_tokens": pieces if number < kept else None,
            }
        )
    return pd.DataFrame(rows)


@pytest.mark.parametrize("kept", [6, 4])
@pytest.mark.parametrize("cut_short", [0, 1])
def test_answers_that_came_in_large_first_pieces_do_not_contradict_the_record(
    kept: int, cut_short: int
) -> None:
    """A frontend that held answers back: the first piece of each has 1 to 400 tokens."""
    firsts = [1, 17, 400, 2, 113, 247]
    requests = _requests(firsts, 100, kept=kept, cut_short=cut_short)
    latency = Latency(
        ttft_ms=None, itl_ms=None, e2e_ms=None, itl_histogram={10: 100 * (len(firsts) - cut_short)}
    )
    ((_, recorded, recomputed),) = _histogram_count(latency, requests)
    assert recorded == recomputed


@pytest.mark.parametrize("kept", [6, 4])
@pytest.mark.parametrize("factor", [0.5, 2])
def test_a_histogram_of_half_or_twice_the_latencies_contradicts_the_requests(
    kept: int, factor: float
) -> None:
    requests = _requests([1, 1, 1, 1, 1, 1], 100, kept=kept)
    latency = Latency(ttft_ms=None, itl_ms=None, e2e_ms=None, itl_histogram={10: int(factor * 600)})
    ((_, recorded, recomputed),) = _histogram_count(latency, requests)
    assert (recorded, recomputed) == (factor * 600, 600)
