"""When requests are sent: closed loop (a fixed number in flight) or open loop (at a rate).

A row of the leaderboard is a closed loop: its windows count turnovers of slots. Energy under load is measured
in an open loop, whose schedule is drawn before it begins (`language.open_loop`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

import numpy as np


@dataclass(frozen=True)
class ClosedLoop:
    """`concurrency` requests in flight at all times: the batch size of the leaderboard.

    With `stationary_start`, each slot's first answer is already under way, as it would be had the
    load been running for ever (`workloads.stationary`). Without it, all slots begin a new answer
    at once, and the context that the server holds grows until the longest of them have ended.
    """

    concurrency: int
    stationary_start: bool = True


@dataclass(frozen=True)
class OpenLoop:
    """Requests arrive by themselves, `rate_per_second` on average, whatever is in flight.

    `burstiness` is the shape of the gamma distribution of the gaps: 1 is Poisson, below 1 is
    burstier, above 1 more even. vLLM's own `bench serve --burstiness` means the same.
    """

    rate_per_second: float
    burstiness: float = 1.0

    def gaps_seconds(self, seed: int) -> Iterator[float]:
        """Endless gaps between arrivals, seconds."""
        rng = np.random.default_rng(seed)
        scale = 1.0 / (self.rate_per_second * self.burstiness)
        while True:
            yield from rng.gamma(self.burstiness, scale, size=1024).tolist()

    def arrivals_seconds(self, seed: int) -> Iterator[float]:
        """Endless instants of arrivals, seconds after the load begins; the same for the same seed."""
        return accumulate(self.gaps_seconds(seed))


Arrivals = ClosedLoop | OpenLoop
