"""Where FP8 begins to win or to lose."""

from __future__ import annotations

import pandas as pd

from expectations.board.reading.figures.precision import crossovers


def test_a_pair_that_cannot_be_compared_is_no_crossover() -> None:
    sizes = [256, 8, 16, 32, 64, 128, 512]
    changes = [-0.1, 0.3, None, 0.1, -0.2, None, 0.1]
    rows = pd.DataFrame({"batch_size": sizes, "energy_change": changes})
    assert crossovers(rows, "energy_change") == [(64, "FP8"), (512, "BF16")]
