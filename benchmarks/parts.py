"""Energy per token over the parts of a window, for text bundles that do not say it.

ML.ENERGY's window has its parts in its bundle since 2026-11-26. For those of before, the tokens of a part
follow from what a bundle keeps of each request (first token, end) and of some (every token): in a part, a
request under way gets tokens as fast as those whose tokens are known. Over windows whose parts are
recorded this errs by at most 1.1 % in a part and 0.18 points in an interval; with pictures, which make
tokens come in bursts, by 3 % and 0.3 points (`tests/benchmark_tasks/results/test_parts.py`).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from benchmark_tasks.language.windows import sub_window_edges
from benchmark_tasks.meters.energy import parts_between
from benchmark_tasks.meters.meter import Timeline
from benchmark_tasks.results import bundle
from benchmark_tasks.results.schema import SubWindow, Window
from benchmark_tasks.results.tables import Series


def parts_of(folder: Path, window: Window, count: int) -> tuple[SubWindow, ...]:
    """`count` equal parts of a settled window; none where too few tokens are known to fill one of them."""
    assert window.start_seconds is not None and window.end_seconds is not None
    edges = sub_window_edges(window.start_seconds, window.end_seconds, count)
    tokens = _tokens(folder, edges)
    if tokens is None:
        return ()
    timeline = Timeline.from_table(
        pq.read_table(folder / bundle.TIMELINES_FILE, filters=[("series", "=", Series.ENERGY_COUNTER_JOULES)])
    )
    return parts_between(timeline, edges, tokens)


def _tokens(folder: Path, edges: np.ndarray) -> np.ndarray | None:
    """Tokens between edges, seconds."""
    columns = ["first_token_seconds", "finished_seconds", "chunk_gap_us", "chunk_tokens"]
    table = pq.read_table(folder / bundle.REQUESTS_FILE, columns=columns)
    table = table.filter(table["first_token_seconds"].is_valid())
    first, end = (table[name].to_numpy() for name in columns[:2])
    arrived, known_seconds = np.zeros(len(edges) - 1), np.zeros(len(edges) - 1)
    for start, gaps, tokens in zip(first, *(table[name].to_pylist() for name in columns[2:]), strict=True):
        if gaps is not None and len(gaps) > 1:
            at = start + np.cumsum(gaps) / 1e6
            arrived += np.histogram(at[1:], edges, weights=tokens[1:])[0]
            known_seconds += _inside(edges, at[:1], at[-1:])
    if np.any(known_seconds < np.diff(edges)):
        return None
    first_tokens, _ = np.histogram(first, edges)
    return np.asarray(arrived / known_seconds * _inside(edges, first, end) + first_tokens)


def _inside(edges: np.ndarray, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    """How long requests were under way between edges, seconds together."""
    spans = np.minimum(end, edges[1:, None]) - np.maximum(begin, edges[:-1, None])
    return np.asarray(np.clip(spans, 0, None).sum(axis=1))
