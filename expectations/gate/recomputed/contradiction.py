"""A figure of the record that the bundle's files contradict."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Contradiction:
    """A figure of the record, and what the files give for it; `None`: they give nothing."""

    name: str
    recorded: float
    recomputed: float | None

    @property
    def share(self) -> float:
        """The difference, as a share of the larger of both; 1 where the files give nothing."""
        if self.recomputed is None:
            return 1.0
        largest = max(abs(self.recorded), abs(self.recomputed))
        return abs(self.recorded - self.recomputed) / largest if largest else 0.0

    def __str__(self) -> str:
        files = "nothing" if self.recomputed is None else f"{self.recomputed:.5g}"
        return f"{self.name}: {self.recorded:.5g} in run.json, {files} in the files"


Pair = tuple[str, float | None, float | None]
"""A figure's name, what the record says, and what the files give."""


def compared(pairs: Iterable[Pair]) -> list[Contradiction]:
    """The figures that the record has, beside what the files give for them."""
    return [
        Contradiction(name, float(recorded), _finite(recomputed))
        for name, recorded, recomputed in pairs
        if recorded is not None
    ]


def largest_contradiction(pairs: Iterable[Contradiction]) -> Contradiction | None:
    """The one whose two values are farthest apart; `None` where there is nothing to compare."""
    return max(pairs, key=lambda pair: pair.share, default=None)


def _finite(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)
