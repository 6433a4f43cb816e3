"""What the pieces of answers tell of a run, between the bounds that their rounded times leave open.

`requests.parquet` has the time between two pieces in whole microseconds. So it does not say whether a piece
came just before the end of a window or just after it, nor whether 500 microseconds were a little less than
`BURST_SECONDS` (then the piece belongs to the arrival before it). What was counted from unrounded times lies
between the bounds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmark_tasks.client.latency import BURST_SECONDS

_ROUNDING_SECONDS = 0.5e-6
_BURST_MICROSECONDS = round(BURST_SECONDS * 1e6)


@dataclass(frozen=True)
class Pieces:
    """The pieces of some answers, one after another; all arrays have one element per piece."""

    gap_us: np.ndarray
    """Microseconds since the piece before; 0 for the first one of an answer."""
    tokens: np.ndarray
    place: np.ndarray
    """In its answer; the first is 0."""
    arrived_seconds: np.ndarray
    """As far as rounded gaps tell: each of them may be off by half a microsecond."""

    @classmethod
    def of(cls, requests: pd.DataFrame) -> Pieces:
        """The pieces of answers all of which kept them (rows of `requests.parquet`)."""
        gaps = [np.asarray(each, dtype=np.int64) for each in requests["chunk_gap_us"]]
        if not any(map(len, gaps)):
            return cls(*(np.array([], dtype=kind) for kind in (int, int, int, float)))
        begun = requests["first_token_seconds"]
        arrived = [first + np.cumsum(each) / 1e6 for first, each in zip(begun, gaps, strict=True)]
        return cls(
            gap_us=np.concatenate(gaps),
            tokens=np.concatenate([np.asarray(each, dtype=np.int64) for each in requests["chunk_tokens"]]),
            place=np.concatenate([np.arange(len(each)) for each in gaps]),
            arrived_seconds=np.concatenate(arrived),
        )

    def tokens_between(self, start: float, end: float) -> tuple[int, int]:
        """The fewest and the most tokens that arrived in (start, end], both in seconds."""
        at, within = self.arrived_seconds, self.place * _ROUNDING_SECONDS * 1.001
        surely = (at - within > start) & (at + within <= end)
        maybe = (at + within > start) & (at - within <= end)
        return int(self.tokens[surely].sum()), int(self.tokens[maybe].sum())

    def inter_token_seconds(self) -> tuple[np.ndarray, np.ndarray]:
        """The lowest and the highest latency of each token after the first arrival of its answer.

        As in `client.latency.inter_token_seconds`: k tokens that arrived after a gap g have g/k each. A part
        is what surely arrived together, a group is parts that may have. A part that may belong to the first
        arrival of an answer may have no latency. It gets 0 and the highest of all, so that quantiles with it
        and without it lie between the bounds. Each array: seconds, one element per token.
        """
        if not len(self.tokens):
            return np.array([]), np.array([])
        opens_group = (self.place == 0) | (self.gap_us > _BURST_MICROSECONDS)
        opens_part = opens_group | (self.gap_us == _BURST_MICROSECONDS)
        group, part = np.cumsum(opens_group) - 1, np.cumsum(opens_part) - 1
        # Places of the first pieces of groups and parts, and how many tokens came before a piece.
        groups = np.append(np.flatnonzero(opens_group), len(group))
        parts = np.append(np.flatnonzero(opens_part), len(part))
        before = np.concatenate([[0], np.cumsum(self.tokens)])
        group_begins, group_ends = before[groups[group]], before[groups[group + 1]]
        part_begins, part_ends = before[parts[part]], before[parts[part + 1]]
        second_begins = before[parts[part[groups[:-1]] + 1]][group]
        is_later = part_begins >= second_begins

        group_seconds, part_seconds = self.gap_us[groups[group]] / 1e6, self.gap_us[parts[part]] / 1e6
        low = (group_seconds - _ROUNDING_SECONDS) / np.maximum(group_ends - group_begins, 1)
        alone = (BURST_SECONDS - _ROUNDING_SECONDS) / np.maximum(group_ends - second_begins, 1)
        low = np.where(is_later, np.minimum(low, alone), low)
        high = np.maximum(
            (group_seconds + _ROUNDING_SECONDS) / np.maximum(part_ends - group_begins, 1),
            (part_seconds + _ROUNDING_SECONDS) / np.maximum(part_ends - part_begins, 1),
        )
        of_first = self.place[groups[group]] == 0
        tokens = np.where(of_first & ~is_later, 0, self.tokens)
        low = np.where(of_first, 0, low)
        high = np.where(of_first, high[~of_first | is_later].max(initial=0), high)
        return np.repeat(low, tokens), np.repeat(high, tokens)
