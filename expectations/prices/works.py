"""The work of many windows as arrays, for fits and predictions (`work.py` has that of one).

It is apart from what reads bundles: where that changes, all bundles are read again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from expectations.prices.work import Work


@dataclass(frozen=True)
class Works:
    """The work of many windows, an array for each field of `Work`.

    The last four have a row for each `Decoding`, in the order of the windows. window: the place of its own.
    """

    prefill_tokens: np.ndarray
    prefill_pairs: np.ndarray
    idle_seconds: np.ndarray
    window: np.ndarray
    in_flight: np.ndarray
    tokens: np.ndarray
    context_tokens: np.ndarray

    @classmethod
    def of(cls, works: Sequence[Work]) -> Works:
        """Of single windows."""
        parts = [(place, part) for place, work in enumerate(works) for part in work.decoding]
        return cls(
            np.array([work.prefill_tokens for work in works], float),
            np.array([work.prefill_pairs for work in works], float),
            np.array([work.idle_seconds for work in works], float),
            np.array([place for place, _ in parts], int),
            np.array([part.in_flight for _, part in parts], float),
            np.array([part.tokens for _, part in parts], float),
            np.array([part.context_tokens for _, part in parts], float),
        )

    def __len__(self) -> int:
        return len(self.prefill_tokens)

    def at(self, places: np.ndarray) -> Works:
        """Those of the windows at these places, which rise."""
        chosen = np.isin(self.window, places)
        return self._of(places, chosen, np.searchsorted(places, self.window[chosen]))

    def between(self, first: int, end: int) -> Works:
        """Those of the windows from the first one to before the end."""
        parts = slice(*np.searchsorted(self.window, [first, end]))
        return self._of(slice(first, end), parts, self.window[parts] - first)

    def _of(self, windows: np.ndarray | slice, parts: np.ndarray | slice, window: np.ndarray) -> Works:
        return Works(
            self.prefill_tokens[windows],
            self.prefill_pairs[windows],
            self.idle_seconds[windows],
            window,
            self.in_flight[parts],
            self.tokens[parts],
            self.context_tokens[parts],
        )

    def added(self, of_parts: np.ndarray) -> np.ndarray:
        """The sum over the parts of each window."""
        sums: np.ndarray = np.bincount(self.window, weights=of_parts, minlength=len(self))
        return sums

    @property
    def steps(self) -> np.ndarray:
        """Decode steps of each part: each step gives every answer in flight a token."""
        steps: np.ndarray = self.tokens / self.in_flight
        return steps

    @property
    def mean_in_flight(self) -> np.ndarray:
        """Answers in flight, mean over the steps; 0 without any."""
        return _ratio(self.added(self.tokens), self.added(self.steps))

    @property
    def mean_context(self) -> np.ndarray:
        """Tokens held, mean over the decoded tokens; 0 without any."""
        return _ratio(self.added(self.context_tokens), self.added(self.tokens))


def _ratio(values: np.ndarray, of: np.ndarray) -> np.ndarray:
    """0 where both are."""
    ratios: np.ndarray = np.divide(values, of, out=np.zeros(len(values)), where=of > 0)
    return ratios
