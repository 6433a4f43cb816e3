"""Open loops: requests arrived as scheduled and in time, and the verdict on the backlog follows from it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from expectations.suites.checks import Tolerance
from expectations.suites.landed_runs import LandedRuns
from expectations.suites.run_check import critical, graded, number, ratio

_ANSWERS_AT_EDGES = 5
"""How many answers' tokens the server's counter, read once per second, may miss at the edges of a window."""


def _settled_open(runs: LandedRuns) -> pd.Series:
    return runs["settled"] & runs["is_open"]


def _watts(runs: LandedRuns) -> pd.Series:
    return ratio(runs["steady_counter_joules"], runs["steady_counter_seconds"])


def _arrivals_off(runs: LandedRuns) -> pd.Series:
    """Scheduled arrivals of the window, less what the rate gives, in standard deviations of chance."""
    expected = number(runs["request_rate"]) * runs["steady_seconds"]
    scatter = np.sqrt(expected / number(runs["burstiness"])) + 1
    deviates: pd.Series = (number(runs["scheduled_arrivals"]) - expected) / scatter
    return deviates.where(_settled_open(runs))


def _sent_off(runs: LandedRuns) -> pd.Series:
    """Requests sent in the window beyond those scheduled in it: late ones move over its edges."""
    apart = number(runs["arrived_requests"]) - number(runs["scheduled_arrivals"])
    allowed = 2 + 0.01 * number(runs["scheduled_arrivals"])
    return (apart.abs() > allowed).where(_settled_open(runs))


def _other_verdict(runs: LandedRuns) -> pd.Series:
    """Whether the record's verdict on a settled window is not what its backlog says."""
    return runs["verdict_on_arrivals_differs"].where(_settled_open(runs))


def _tokens_apart(runs: LandedRuns) -> pd.Series:
    """By the server's counter less those received, over the window's tokens and those of some answers."""
    apart = number(runs["generated_tokens_in_window"]) - number(runs["steady_output_tokens"])
    edges = _ANSWERS_AT_EDGES * number(runs["mean_output_tokens"]).fillna(0)
    return ratio(apart, number(runs["steady_output_tokens"]) + edges).where(runs["is_open"])


CHECKS = (
    critical(
        "arrivals_recorded",
        "the run has a request rate and does not say how requests arrived, or has none and does",
        lambda runs: (runs["is_open"] != runs["is_sustained"].notna()).where(runs["completed"]),
    ),
    *graded(
        "arrivals_on_time",
        "requests were sent too late",
        lambda runs: runs["arrival_error_p99_ms"].where(runs["completed"]),
        within=Tolerance(
            None, 5.0, "ms", "about 1 % of the strictest ceiling on the time to the first token, 450 ms"
        ),
    ),
    critical(
        "arrivals_as_asked",
        "more or fewer requests were scheduled than the request rate gives",
        _arrivals_off,
        within=Tolerance(-4.5, 4.5, "standard deviations", "a gamma renewal process: 1 of 100,000 windows"),
    ),
    critical(
        "requests_sent_as_scheduled",
        "more or fewer requests were sent in the window than the schedule has in it",
        _sent_off,
    ),
    critical(
        "sustained_follows_from_backlog",
        "whether the server kept up is not what the backlog says",
        _other_verdict,
    ),
    *graded(
        "two_token_counts_agree_in_window__open",
        "in the window, the tokens that the client received and those of the server's counter differ",
        _tokens_apart,
        within=Tolerance(
            -0.05,
            0.05,
            "relative",
            "a counter read once per second while answers come and go: tokens of some answers at the edges",
        ),
    ),
    critical(
        "idle_has_no_requests",
        "requests or tokens were counted in a run at rate 0",
        lambda runs: (
            (number(runs["requests_sent"]).fillna(0) + number(runs["steady_output_tokens"]).fillna(0) > 0)
            & runs["request_rate"].eq(0)
        ),
    ),
    critical(
        "idle_power_as_loaded",
        "without requests, the GPU drew another power than when it waited with the model loaded",
        lambda runs: ratio(_watts(runs), runs["idle_watts_loaded"]).where(runs["request_rate"].eq(0)),
        within=Tolerance(
            0.7,
            1.3,
            "x idle power with the model",
            "the same state, minutes apart; clocks may fall meanwhile",
        ),
    ),
    critical(
        "power_over_idle__open",
        "under requests, the GPU drew less than when it waited with the model loaded",
        lambda runs: ratio(_watts(runs), runs["idle_watts_loaded"]).where(runs["request_rate"] > 0),
        within=Tolerance(0.85, None, "x idle power with the model", "few requests add little to idle power"),
    ),
)
