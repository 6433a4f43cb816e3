"""What a server did in a window, from the times and lengths of a bundle's own requests.

Each request says when it was sent, when its first token came, when it ended, and how long prompt and answer
were. From these alone follows what happened between two moments, also of requests that these moments cut:

- Prompts are read in the order in which they came. A prompt is read between the first token of the prompts
  before it, or its own sending if that is later, and its own first token. Its tokens are spread evenly over
  that time.
- Tokens after the first one are spread between it and the end of the answer as steps of the server are, each
  of which gives every answer in flight a token. Where the times of single tokens were kept, of some requests
  at least, they tell how fast steps followed each other; otherwise the tokens are spread evenly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

STEP_SECONDS = 0.02
"""First tokens that come within so short a time of each other come from one step of the server."""
CELL_SECONDS, MOST_CELLS = 0.5, 400
"""The pace of steps is one number over so long a time, or longer in a long load."""
MOST_DIFFERENCE = 0.05
"""Tokens by the requests may differ so much from those that the record counts, as a share."""
SHORTEST_SECONDS = 1e-3
"""No prompt is read in less."""
COLUMNS = (
    "sent_seconds",
    "first_token_seconds",
    "finished_seconds",
    "prompt_tokens",
    "output_tokens",
    "under_way",
    "chunk_gap_us",
    "chunk_tokens",
)
"""Those of `requests.parquet` that are read."""


@dataclass(frozen=True)
class Decoding:
    """What was decoded while so many answers were in flight.

    in_flight: answers past their first token. tokens: those after the first ones. context_tokens: the sum
    over these of the tokens held before each.
    """

    in_flight: float
    tokens: float
    context_tokens: float


@dataclass(frozen=True)
class Work:
    """What a server did in a window.

    prefill_tokens: tokens of prompts that were read in it. prefill_pairs: half the sum of the squares of the
    prompts' lengths, in the same shares. idle_seconds: without any request.
    """

    prefill_tokens: float
    prefill_pairs: float
    decoding: tuple[Decoding, ...] = ()
    idle_seconds: float = 0.0

    @property
    def decode_tokens(self) -> float:
        """Tokens after the first ones."""
        return sum(part.tokens for part in self.decoding)

    @property
    def context_tokens(self) -> float:
        """The sum over the decoded tokens of the tokens held before each."""
        return sum(part.context_tokens for part in self.decoding)

    @property
    def decode_steps(self) -> float:
        """Each step gives every answer in flight a token."""
        return sum(part.tokens / part.in_flight for part in self.decoding)

    @property
    def mean_in_flight(self) -> float:
        """Answers in flight, mean over the steps; 0 without any."""
        return self.decode_tokens / self.decode_steps if self.decoding else 0.0

    @property
    def mean_context(self) -> float:
        """Tokens held, mean over the decoded tokens; 0 without any."""
        return self.context_tokens / self.decode_tokens if self.decoding else 0.0


def work_between(
    requests: pa.Table,
    start: float,
    end: float,
    *,
    prompt_tokens: int | None = None,
    output_tokens: int | None = None,
) -> Work | None:
    """The work of a window, from the rows of `requests.parquet` (`results.tables.REQUESTS`).

    Args:
        start, end: of the window, in seconds as in the table.
        prompt_tokens: length of every prompt, where the load fixes it. The server reports lengths when an
            answer ends, so those of requests that were cut off are not in the table; without a fixed length
            they count with the mean of the others.
        output_tokens: tokens that came in the window, counted one by one when it was measured. Those that
            were decoded add up to them.

    Returns:
        `None` where no length of a prompt is known, or the requests contradict `output_tokens`.
    """
    if requests.num_rows == 0:
        return Work(0.0, 0.0, idle_seconds=end - start)
    sent, first, finished, prompt, output, under_way = (
        requests[name].to_numpy(zero_copy_only=False).astype(float) for name in COLUMNS[:6]
    )
    prompt = _whole(prompt, under_way > 0, prompt_tokens)
    if np.isnan(prompt).any():
        return None
    read, pairs = _prefill(sent, first, finished, prompt, start, end)
    steps = _step_counter(requests, first, finished)
    decoding = _decoding(steps(first), steps(finished), prompt, output, *steps(np.array([start, end])))
    if output_tokens is not None:
        firsts = int(((first > start) & (first <= end)).sum())
        found = sum(part.tokens for part in decoding)
        factor = (output_tokens - firsts) / found if found else 1.0
        if abs(factor - 1) > MOST_DIFFERENCE or (not found and output_tokens > firsts):
            return None
        decoding = tuple(
            Decoding(part.in_flight, part.tokens * factor, part.context_tokens * factor) for part in decoding
        )
    return Work(
        read,
        pairs,
        decoding,
        max(0.0, end - start - _covered(np.maximum(sent, start), np.minimum(finished, end))),
    )


def _whole(prompt: np.ndarray, under_way: np.ndarray, fixed: int | None) -> np.ndarray:
    """Lengths of all prompts. Those that the load began with are longer: they hold what is written."""
    known = ~np.isnan(prompt)
    like = known & ~under_way if (known & ~under_way).any() else known
    usual = float(fixed) if fixed is not None else prompt[like].mean() if like.any() else np.nan
    return np.where(known, prompt, usual)


def _prefill(
    sent: np.ndarray, first: np.ndarray, finished: np.ndarray, prompt: np.ndarray, start: float, end: float
) -> tuple[float, float]:
    """Tokens read in the window, and their pairs."""
    began = ~np.isnan(first)
    firsts = np.sort(first[began])
    place = np.searchsorted(firsts, first[began] - STEP_SECONDS, side="right") - 1
    before = np.where(place >= 0, firsts[np.maximum(place, 0)], -np.inf) if len(firsts) else firsts
    since = np.minimum(np.maximum(sent[began], before), first[began] - SHORTEST_SECONDS)
    inside = np.clip(np.minimum(first[began], end) - np.maximum(since, start), 0, None)
    share = np.zeros(len(sent))
    share[began] = inside / (first[began] - since)
    busy = _covered(np.maximum(since, start), np.minimum(first[began], end))
    if busy > 0:
        speed = float((share * prompt).sum()) / busy
        share[~began] = _cut_off(sent, finished, prompt, ~began, firsts, (start, end), speed)
    return float((share * prompt).sum()), float((share * prompt**2).sum() / 2)


def _cut_off(
    sent: np.ndarray,
    finished: np.ndarray,
    prompt: np.ndarray,
    waiting: np.ndarray,
    firsts: np.ndarray,
    window: tuple[float, float],
    speed: float,
) -> np.ndarray:
    """Which share of each prompt without a first token had been read at the window's end.

    They are read at the speed of the others, in order, from the last first token on.
    """
    start, end = window
    there = (sent[waiting] < end) & (finished[waiting] >= end)
    order = np.argsort(sent[waiting], kind="stable")
    tokens = np.where(there, prompt[waiting], 0.0)[order]
    if not there.any():
        return np.zeros(len(tokens))
    last = firsts[firsts <= end].max(initial=start)
    left = speed * (end - max(last, float(sent[waiting][there].min())))
    read = np.clip(left - (np.cumsum(tokens) - tokens), 0, tokens)
    shares = np.zeros(len(tokens))
    shares[order] = np.divide(read, tokens, out=np.zeros(len(tokens)), where=tokens > 0)
    return shares


def _step_counter(
    requests: pa.Table, first: np.ndarray, finished: np.ndarray
) -> Callable[[np.ndarray], np.ndarray]:
    """How many steps the server had made by a moment: from the requests of which each token's time is kept.

    In a cell of time in which none of them was in flight, steps are as fast as on average.
    """
    kept = requests["chunk_gap_us"].is_valid().to_numpy(zero_copy_only=False) & ~np.isnan(first)
    if not kept.any():
        return lambda moments: moments
    rows = requests.filter(pa.array(kept)).select(["chunk_gap_us", "chunk_tokens"]).to_pylist()
    arrived = [
        at + np.cumsum(row["chunk_gap_us"][1:]) / 1e6 for at, row in zip(first[kept], rows, strict=True)
    ]
    tokens = np.concatenate([np.asarray(row["chunk_tokens"][1:], float) for row in rows])
    cell = max(CELL_SECONDS, float(finished.max()) / MOST_CELLS)
    edges = np.arange(0, finished.max() + 2 * cell, cell)
    gained, _ = np.histogram(np.concatenate(arrived), edges, weights=tokens)
    last = np.array([times[-1] if len(times) else at for at, times in zip(first[kept], arrived, strict=True)])
    flown = np.diff(np.clip(edges, first[kept, None], last[:, None])).sum(axis=0)
    if gained.sum() == 0:
        return lambda moments: moments
    usual = gained.sum() / flown.sum()
    pace = np.where(flown > cell / 2, gained / np.maximum(flown, SHORTEST_SECONDS), usual)
    counted = np.concatenate([[0.0], np.cumsum(pace * cell)])
    return lambda moments: np.where(np.isnan(moments), np.nan, np.interp(moments, edges, counted))


def _decoding(
    first: np.ndarray, finished: np.ndarray, prompt: np.ndarray, output: np.ndarray, start: float, end: float
) -> tuple[Decoding, ...]:
    """Decoded tokens by the number of answers in flight: one sweep over all first tokens and ends.

    All moments are counted in steps, in which the tokens of an answer are evenly spread.
    """
    there = (output > 1) & (finished > first) & (first < end) & (finished > start)
    if not there.any():
        return ()
    first, finished, prompt = first[there], finished[there], prompt[there]
    rate = (output[there] - 1) / (finished - first)
    held = rate * (prompt + 1 - rate * first)  # tokens held x rate = held + rate^2 x moment
    moments = np.concatenate([np.maximum(first, start), np.minimum(finished, end)])
    order = np.argsort(moments, kind="stable")
    moments, between = moments[order], np.diff(moments[order])
    middle = (moments[1:] + moments[:-1]) / 2

    def running(value: np.ndarray) -> np.ndarray:
        total: np.ndarray = np.cumsum(np.concatenate([value, -value])[order])[:-1]
        return total

    flying = np.rint(running(np.ones(len(rate)))).astype(int)
    tokens = np.bincount(flying, weights=running(rate) * between)
    context = np.bincount(flying, weights=(running(held) + running(rate**2) * middle) * between)
    seen = np.bincount(flying, weights=between)
    return tuple(
        Decoding(float(level), float(tokens[level]), float(context[level]))
        for level in range(1, len(seen))
        if seen[level] > 0
    )


def _covered(starts: np.ndarray, ends: np.ndarray) -> float:
    """How long at least one of these intervals lasts."""
    real = ends > starts
    order = np.argsort(starts[real], kind="stable")
    starts, ends = starts[real][order], np.maximum.accumulate(ends[real][order])
    fresh = np.concatenate([[-np.inf], ends[:-1]]) if len(ends) else ends
    return float(np.clip(ends - np.maximum(starts, fresh), 0, None).sum())
