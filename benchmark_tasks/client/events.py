"""Everything that was seen of a load, as columns: the input of windows and latencies.

Times are float seconds since `origin_ns` (the first request's sending, CLOCK_MONOTONIC).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmark_tasks.client.connection import CANCELLED, Trace


@dataclass(frozen=True)
class Events:
    """One entry per request in the first group, one entry per chunk in `chunk_*`.

    Chunks of request i are `chunk_offsets[i]:chunk_offsets[i + 1]`. A request that never produced
    a token has NaN in `first_token_seconds`; a failed one has a text in `errors`. `prompt_tokens` is 0
    where the server did not say; it does so when an answer ends. `due_seconds`: when the schedule of an open
    loop had it; NaN in a closed loop.
    """

    origin_ns: int
    request_index: np.ndarray
    process: np.ndarray
    slot: np.ndarray
    due_seconds: np.ndarray
    sent_seconds: np.ndarray
    first_token_seconds: np.ndarray
    finished_seconds: np.ndarray
    prompt_tokens: np.ndarray
    output_tokens: np.ndarray
    max_tokens: np.ndarray
    at_length_cap: np.ndarray
    under_way: np.ndarray
    errors: tuple[str | None, ...]
    chunk_offsets: np.ndarray
    chunk_seconds: np.ndarray
    chunk_tokens: np.ndarray

    @classmethod
    def from_traces(cls, traces: Sequence[tuple[int, Trace]]) -> Events:
        """Columns of `(process, trace)` pairs, ordered by sending time."""
        ordered = sorted(traces, key=lambda pair: pair[1].sent_ns)
        origin = ordered[0][1].sent_ns if ordered else 0
        only = [trace for _, trace in ordered]

        def seconds(values: Sequence[int]) -> np.ndarray:
            return (np.asarray(values, dtype=np.int64) - origin) / 1e9

        counts = [len(trace.arrival_ns) for trace in only]
        return cls(
            origin_ns=origin,
            request_index=np.array([trace.index for trace in only], dtype=np.int64),
            process=np.array([process for process, _ in ordered], dtype=np.int64),
            slot=np.array([trace.slot for trace in only], dtype=np.int64),
            due_seconds=np.array(
                [np.nan if trace.due_ns is None else (trace.due_ns - origin) / 1e9 for trace in only]
            ),
            sent_seconds=seconds([trace.sent_ns for trace in only]),
            first_token_seconds=np.array(
                [(trace.arrival_ns[0] - origin) / 1e9 if trace.arrival_ns else np.nan for trace in only]
            ),
            finished_seconds=seconds([trace.finished_ns for trace in only]),
            prompt_tokens=np.array([trace.prompt_tokens for trace in only], dtype=np.int64),
            output_tokens=np.array([trace.output_tokens for trace in only], dtype=np.int64),
            max_tokens=np.array([trace.max_tokens for trace in only], dtype=np.int64),
            at_length_cap=np.array([trace.finish_reason == "length" for trace in only], dtype=bool),
            under_way=np.array([trace.under_way for trace in only], dtype=bool),
            errors=tuple(trace.error for trace in only),
            chunk_offsets=np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64),
            chunk_seconds=seconds([t for trace in only for t in trace.arrival_ns]),
            chunk_tokens=np.array([n for trace in only for n in trace.arrival_tokens], dtype=np.int64),
        )

    @property
    def completed(self) -> np.ndarray:
        """Mask of requests that ended without an error."""
        return np.array([error is None for error in self.errors], dtype=bool)

    @property
    def cancelled(self) -> np.ndarray:
        """Mask of requests that were in flight when the load stopped."""
        return np.array([error == CANCELLED for error in self.errors], dtype=bool)

    @property
    def failed(self) -> np.ndarray:
        """Mask of requests that ended with an error."""
        failed: np.ndarray = ~(self.completed | self.cancelled)
        return failed

    def sent_between(self, start: float, end: float) -> np.ndarray:
        """Mask of requests that were sent in (start, end]."""
        inside: np.ndarray = (self.sent_seconds > start) & (self.sent_seconds <= end)
        return inside

    def failures(self) -> list[str]:
        """The errors of the failed requests, in sending order."""
        return [
            error for error, bad in zip(self.errors, self.failed, strict=True) if error is not None and bad
        ]

    def tokens_between(self, start: float, end: float) -> int:
        """Tokens that arrived in (start, end]."""
        inside = (self.chunk_seconds > start) & (self.chunk_seconds <= end)
        return int(self.chunk_tokens[inside].sum())

    def rows(self, kept_chunk_requests: int | None = None) -> list[dict[str, Any]]:
        """Rows of `requests.parquet` (see `results.tables.REQUESTS`).

        Only `kept_chunk_requests` requests, evenly spread, keep their chunks; the others have NULL.
        """
        rows = []
        count = len(self.request_index)
        kept = set(range(count))
        if kept_chunk_requests is not None:
            kept = set(np.linspace(0, count - 1, min(count, kept_chunk_requests)).astype(int).tolist())
        for i in range(count):
            chunks = slice(self.chunk_offsets[i], self.chunk_offsets[i + 1])
            gaps = np.diff(self.chunk_seconds[chunks], prepend=self.chunk_seconds[chunks][:1])
            rows.append(
                {
                    "request_index": int(self.request_index[i]),
                    "process": int(self.process[i]),
                    "slot": int(self.slot[i]),
                    "due_seconds": _or_none(self.due_seconds[i]),
                    "sent_seconds": float(self.sent_seconds[i]),
                    "first_token_seconds": _or_none(self.first_token_seconds[i]),
                    "finished_seconds": float(self.finished_seconds[i]),
                    "prompt_tokens": int(self.prompt_tokens[i]) or None,
                    "output_tokens": int(self.output_tokens[i]),
                    "max_tokens": int(self.max_tokens[i]),
                    "under_way": bool(self.under_way[i]),
                    "error": self.errors[i],
                    "chunk_gap_us": np.rint(gaps * 1e6).astype(np.int32).tolist() if i in kept else None,
                    "chunk_tokens": self.chunk_tokens[chunks].tolist() if i in kept else None,
                }
            )
        return rows


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
