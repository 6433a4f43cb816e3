"""Tokens of a window, by the requests: how many each answer has, and how they lie between its ends.

How many tokens an answer has, when its first one came and when it ended, its request says. It does not say
how the others lie between. While prompts are read answers are written slowly, and a request that is preempted
waits. The server's counter tells that: at each moment, all answers that are being written have an equal share
of what it gains. Its shape alone is taken, not its size: one that counts each token twice changes nothing.
Neither is exact. A preempted request gets a share although it writes nothing, and a server may count an
answer only at its end. So the gate takes what is nearer to the record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmark_tasks.meters.meter import Timeline
from benchmark_tasks.results.schema import Window
from benchmark_tasks.results.tables import Series

if TYPE_CHECKING:
    import pandas as pd


def tokens_in_window(window: Window | None, requests: pd.DataFrame) -> float | None:
    """Output tokens of a window, as if each answer was written evenly; `None` without a window."""
    if window is None or window.start_seconds is None or window.end_seconds is None:
        return None
    answers = _begun(requests)
    return _tokens(answers, _share_of_time(answers, window.start_seconds, window.end_seconds), window)


def paced_tokens_in_window(window: Window | None, requests: pd.DataFrame, timeline: Timeline) -> float | None:
    """The same at the server's pace; `None` where its counter does not span all answers of the window."""
    if window is None or window.start_seconds is None or window.end_seconds is None:
        return None
    answers, edges = _begun(requests), (window.start_seconds, window.end_seconds)
    first, last = answers["first_token_seconds"].to_numpy(), answers["finished_seconds"].to_numpy()
    at, counted = timeline.of(Series.GENERATED_TOKENS)
    touched = (last > edges[0]) & (first < edges[1]) & (last > first)
    if not len(at) or not touched.any() or np.any(np.diff(counted) < 0):
        return None
    if at[0] > min(edges[0], first[touched].min()) or at[-1] < max(edges[1], last[touched].max()):
        return None
    moments, written = _written_per_answer(first, last, at, counted)
    begun, ended, from_start, to_end = (
        np.interp(seconds, moments, written)
        for seconds in (first, last, np.maximum(first, edges[0]), np.minimum(last, edges[1]))
    )
    whole, inside = ended - begun, np.clip(to_end - from_start, 0, None)
    share = np.where(whole > 0, inside / np.where(whole > 0, whole, 1), _share_of_time(answers, *edges))
    return _tokens(answers, share, window)


def _begun(requests: pd.DataFrame) -> pd.DataFrame:
    """Requests of which an answer began."""
    return requests[requests["first_token_seconds"].notna() & requests["finished_seconds"].notna()]


def _written_per_answer(
    first: np.ndarray, last: np.ndarray, at: np.ndarray, counted: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(moments, tokens that an answer would have had by then if it had been under way all the time)."""
    moments = np.unique(np.concatenate([first, last, at]))
    moments = moments[(moments >= at[0]) & (moments <= at[-1])]
    middles = (moments[1:] + moments[:-1]) / 2
    under_way = np.searchsorted(np.sort(first), middles) - np.searchsorted(np.sort(last), middles)
    gained = np.diff(np.interp(moments, at, counted)) / np.maximum(under_way, 1)
    return moments, np.concatenate([[0.0], np.cumsum(gained)])


def _share_of_time(answers: pd.DataFrame, start: float, end: float) -> np.ndarray:
    """Which share of the time of each answer is in a window."""
    first, last = answers["first_token_seconds"].to_numpy(), answers["finished_seconds"].to_numpy()
    inside = np.clip(np.minimum(last, end) - np.maximum(first, start), 0, None)
    share: np.ndarray = inside / np.maximum(last - first, 1e-9)
    return share


def _tokens(answers: pd.DataFrame, share: np.ndarray, window: Window) -> float:
    """The first token of an answer comes when it begins; of the others a share is in the window."""
    first, tokens = answers["first_token_seconds"].to_numpy(), answers["output_tokens"].to_numpy()
    begins = (first > window.start_seconds) & (first <= window.end_seconds)
    return float((begins + share * np.maximum(tokens - 1, 0)).sum())
