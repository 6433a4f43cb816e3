"""The 95 % interval of a whole request, from the intervals of a list's prices.

A request is a sum of prices. How their errors go together is not published, so each part is taken at its low
end, or each at its high end, at once: at least 95 %, as no way of going together makes a sum vary more. The
terms of one fit mostly make up for each other, so tokens are not put together from terms where the list has
their own intervals: between two lengths, contexts or batch sizes a token is a mean of its neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Ends = tuple[float, float]
Places = tuple[tuple[float, float, float], ...]
"""(where, low, high), rising from 0."""


@dataclass(frozen=True)
class Bounds:
    """Low and high ends of prices, joules.

    prompt: of a token of a prompt, by the prompt's length; `pair`: of a pair of its tokens, beyond the last.
    decode: of a token of an answer, by answers in flight and held context; `context`: of a token of context,
        beyond the last.
    idle: of a second; `None` where idle power was read once.
    """

    prompt: Places
    pair: Ends
    decode: Mapping[float, Places]
    context: Ends
    idle: Ends | None

    def of_request(self, prompt: int, answer: int, batch: float, idle_seconds: float) -> Ends | None:
        """(low, high) joules of a request; `None` where the interval of idle time is not known."""
        if idle_seconds and self.idle is None:
            return None
        decoded = answer - 1
        ends = prompt * _at(self.prompt, prompt, np.array(self.pair) / 2)
        ends = ends + decoded * self._decode_token(batch, prompt + 1 + decoded / 2)
        low, high = ends + idle_seconds * np.array(self.idle or (0.0, 0.0))
        return float(low), float(high)

    def _decode_token(self, batch: float, held: float) -> np.ndarray:
        """At a batch size between two: a mean of theirs, since a step is priced linearly between them."""
        sizes = sorted(self.decode)
        above = min(max(int(np.searchsorted(sizes, batch)), 1), len(sizes) - 1)
        small, large = sizes[above - 1], sizes[above]
        share = (batch - small) / (large - small)
        weights = ((1 - share) * small / batch, share * large / batch)
        tokens = (_at(self.decode[size], held, np.array(self.context)) for size in (small, large))
        return np.asarray(np.dot(weights, np.stack(list(tokens))))


def _at(places: Sequence[tuple[float, float, float]], where: float, beyond: np.ndarray) -> np.ndarray:
    """(low, high) at a place: linear between two, and `beyond` for each unit after the last."""
    table = np.array(places)
    ends = np.array([np.interp(where, table[:, 0], table[:, column]) for column in (1, 2)])
    return np.asarray(ends + max(0.0, where - table[-1, 0]) * beyond)
