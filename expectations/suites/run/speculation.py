"""Speculative decoding: what the server accepted is possible, and is what its options prescribe."""

from __future__ import annotations

import pandas as pd

from expectations.suites.checks import Tolerance
from expectations.suites.landed_runs import LandedRuns
from expectations.suites.run_check import critical, number, ratio

FEWEST = 2000
"""As many drafts, or tokens of a server that made none, tell an acceptance; fewer are too few for 5 %."""


def _share_accepted(runs: LandedRuns) -> pd.Series:
    """Accepted tokens per drafted token, in the window."""
    return ratio(
        runs["accepted_tokens_in_window"],
        number(runs["drafts_in_window"]) * number(runs["speculative_tokens"]),
    )


def _beside_prescribed(runs: LandedRuns) -> pd.Series:
    """Tokens per step with a draft as measured, over those that the options prescribe, minus 1.

    NULL for so few drafts that chance would move it. Of many tokens without one draft nothing was accepted.
    """
    drafts = number(runs["drafts_in_window"])
    length = (1 + ratio(runs["accepted_tokens_in_window"], drafts)).mask(drafts == 0, 1.0)
    tells = (drafts >= FEWEST) | ((drafts == 0) & (number(runs["generated_tokens_in_window"]) >= FEWEST))
    return (ratio(length, runs["prescribed_acceptance_length"]) - 1).where(tells)


def _written_by_steps(runs: LandedRuns) -> pd.Series:
    """Tokens of the steps with a draft, per token that the server counted in the window.

    The last step of an answer may accept tokens that lie behind its end: at most a whole draft of each.
    """
    steps = number(runs["drafts_in_window"]) + number(runs["accepted_tokens_in_window"])
    behind_ends = number(runs["speculative_tokens"]) * number(runs["requests_completed"])
    return ratio(steps - behind_ends, runs["generated_tokens_in_window"])


CHECKS = (
    critical(
        "accepted_tokens_possible",
        "the server says that it accepted more tokens than were drafted, or fewer than none",
        _share_accepted,
        within=Tolerance(
            0,
            1.001,
            "of the drafted tokens",
            "no more is accepted than is drafted; 0.1 % for values between two readings of the counters",
        ),
    ),
    critical(
        "drafted_steps_fit_tokens",
        "the steps with drafts would have written more tokens than the server generated",
        _written_by_steps,
        within=Tolerance(
            None,
            1.02,
            "of the tokens",
            "every token but the first of an answer is of one step; 2 % for readings once per second",
        ),
    ),
    critical(
        "acceptance_as_prescribed",
        "another number of tokens per step was accepted than the server's options prescribe",
        _beside_prescribed,
        within=Tolerance(
            -0.05,
            0.05,
            "relative",
            "each drafted token is accepted by a random number: 2,000 drafts are within 3 %",
        ),
    ),
)
