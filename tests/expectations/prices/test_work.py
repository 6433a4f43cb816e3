"""The work of a window: by hand on a few requests, and token by token on recorded bundles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmark_tasks.results import bundle
from benchmark_tasks.results.tables import REQUESTS
from expectations.prices.work import Work, work_between

RECORDED = Path(__file__).parents[3] / "recorded_runs"


def request(sent: float, first: float | None, finished: float, **changes: Any) -> dict[str, Any]:
    """An answer of 101 tokens to a prompt of 1,000, both known."""
    return {
        "sent_seconds": sent,
        "first_token_seconds": first,
        "finished_seconds": finished,
        "prompt_tokens": 1000,
        "output_tokens": 101 if first is not None else 0,
        "under_way": False,
        **changes,
    }


def work(rows: list[dict[str, Any]], start: float, end: float, **known: int) -> Work:
    found = work_between(pa.Table.from_pylist(rows, schema=REQUESTS), start, end, **known)
    assert found is not None
    return found


def test_two_answers_by_hand() -> None:
    """One is read over 1 s of which half is in the window, the other wholly; 0.5 s are idle.

    From second 1.5 to 10: the first answer, 100 tokens over 10 s from second 2 on, has 80 in the window. The
    second is read from 4 to 5 and gives 100 tokens from 5 to 9. So one answer is in flight from 2 to 5 and
    from 9 to 10 (40 tokens), two from 5 to 9 (40 + 100).
    """
    found = work([request(1, 2, 12), request(4, 5, 9)], 1.5, 10)
    assert found.prefill_tokens == pytest.approx(1500) and found.idle_seconds == 0
    assert found.prefill_pairs == pytest.approx(1.5 * 1000**2 / 2)
    one, two = found.decoding
    assert one.in_flight == 1 and one.tokens == pytest.approx(40)
    assert two.in_flight == 2 and two.tokens == pytest.approx(140)
    # The first answer holds 1001 tokens at second 2, and 10 more each second; the second 1001 to 1101.
    assert one.context_tokens == pytest.approx(30 * (1001 + 15) + 10 * (1001 + 75))
    assert two.context_tokens == pytest.approx(40 * (1001 + 50) + 100 * (1001 + 50))
    assert found.decode_steps == pytest.approx(40 + 70)


def test_prompts_are_read_one_after_the_other() -> None:
    """Sent together, with first tokens at 1, 2 and 3: from 1.5 to 2.5, halves of the second and the third."""
    rows = [request(0, first, first, output_tokens=1) for first in (1.0, 2.0, 3.0)]
    found = work(rows, 1.5, 2.5)
    assert found.prefill_tokens == pytest.approx(1000) and found.decoding == ()


def test_prompts_of_one_step_are_read_together() -> None:
    rows = [request(0, first, first, output_tokens=1) for first in (1.0, 1.001, 1.002)]
    assert work(rows, 0.5, 2).prefill_tokens == pytest.approx(1500, rel=0.01)


def test_a_prompt_that_is_cut_off_was_read_at_the_speed_of_the_others() -> None:
    """A prompt per second until 3; the next one, cut off at 3.25, had a quarter, and the last nothing."""
    rows = [request(0, first, first, output_tokens=1) for first in (1.0, 2.0, 3.0)]
    cut = {"prompt_tokens": None, "error": "cancelled"}
    rows += [request(0.1, None, 3.3, **cut), request(0.2, None, 3.3, **cut)]
    assert work(rows, 0, 3.25).prefill_tokens == pytest.approx(3250)
    assert work(rows, 0, 3.25, prompt_tokens=1000).prefill_tokens == pytest.approx(3250)


def test_time_without_a_request_is_idle() -> None:
    assert work([request(2, 2.5, 4), request(6, 6.5, 8)], 0, 10).idle_seconds == pytest.approx(6)
    assert work([], 0, 10) == Work(0.0, 0.0, idle_seconds=10)


def test_steps_are_as_fast_as_the_kept_tokens_say() -> None:
    """50 tokens in the first second of the answer and 50 in the nine after it; the window has only these."""
    gaps = [0, *[20_000] * 50, *[180_000] * 50]
    kept = {"chunk_gap_us": gaps, "chunk_tokens": [1] * 101}
    rows = [request(0, 1, 11, **kept), request(0, 1, 11)]
    assert work(rows, 2, 11).decode_tokens == pytest.approx(100, abs=2)


def test_the_record_counts_the_tokens_and_a_contradiction_is_no_work() -> None:
    rows = [request(1, 2, 12)]
    assert work(rows, 1.5, 7, output_tokens=52).decode_tokens == pytest.approx(51)
    table = pa.Table.from_pylist(rows, schema=REQUESTS)
    assert work_between(table, 1.5, 7, output_tokens=80) is None
    unknown = pa.Table.from_pylist([request(1, 2, 12, prompt_tokens=None)], schema=REQUESTS)
    assert work_between(unknown, 1.5, 7) is None


@pytest.mark.parametrize("folder", ["h200-2026-11-28-stand-in", "h200-2026-11-29-load"])
def test_recorded_windows_have_as_many_tokens_as_were_counted_one_by_one(folder: str) -> None:
    looked = 0
    for directory in sorted((RECORDED / folder).iterdir()):
        if not (directory / bundle.RUN_FILE).is_file():
            continue
        run = bundle.read_record(directory)
        window = run.window_steady
        if window is None or not window.settled or not window.output_tokens or looked == 12:
            continue
        table = pq.read_table(directory / bundle.REQUESTS_FILE)
        start, end = window.start_seconds, window.end_seconds
        first = table["first_token_seconds"].to_numpy(zero_copy_only=False).astype(float)
        assert start is not None and end is not None
        found = work_between(table, start, end)
        assert found is not None
        counted = found.decode_tokens + np.sum((first > start) & (first <= end))
        assert counted == pytest.approx(window.output_tokens, rel=0.01), directory
        if run.configuration.request_rate is None:
            assert found.mean_in_flight == pytest.approx(window.mean_running_requests, rel=0.02)
        looked += 1
    assert looked >= 6
