"""Windows: settled, inside the run, long enough, saturated, without trend."""

from __future__ import annotations

import numpy as np
import pandas as pd

from expectations.suites.checks import Tolerance
from expectations.suites.landed_runs import LandedRuns
from expectations.suites.run_check import critical, graded, is_true, number, ratio, warning

BATCH_SATURATION = Tolerance(
    0.85, 1.001, "of batch size", "ML.ENERGY's published filter; lowest of 838 published rows: 0.854"
)
THROUGHPUT_TIMES_MEDIAN_ITL = Tolerance(
    None,
    1.4,
    "x running requests",
    "holds in all 838 published rows: throughput x median ITL <= 1.4 x mean batch",
)
_TREND = Tolerance(-0.05, 0.05, "relative", "methodology: power and throughput without trend")

_TURNOVERS, _TURNOVER_SECONDS = 5.0, 60.0
_BATCHES, _BATCHES_SECONDS = 3.0, 30.0
"""The same two limits for images and videos, whose turnovers are whole batches."""


def _beside_requests(recorded: pd.Series, evenly: pd.Series, paced: pd.Series) -> pd.Series:
    """Tokens of the record over those of its requests, minus 1; of two counts the nearer one."""
    apart, apart_at_pace = ratio(recorded, evenly) - 1, ratio(recorded, paced) - 1
    return apart.mask(apart_at_pace.abs() < apart.abs(), apart_at_pace)


def _overhang(runs: LandedRuns) -> pd.Series:
    """Seconds by which a window ends after its run or before its own start."""
    end = pd.Series(np.fmax(runs["steady_end_seconds"], runs["mlenergy_end_seconds"]))
    reversed_by = np.fmax(-runs["steady_seconds"], -runs["mlenergy_seconds"])
    return pd.Series(np.fmax(end - runs["duration_seconds"], reversed_by)).where(runs["completed"])


def _more_tokens_than_run(runs: LandedRuns) -> pd.Series:
    tokens = pd.Series(np.fmax(runs["steady_output_tokens"], runs["mlenergy_output_tokens"]))
    return (tokens > number(runs["request_tokens"])).where(runs["completed"])


def _turned_over(runs: LandedRuns) -> pd.Series:
    """Turnovers or seconds, whichever comes closer to what a steady window promises."""
    turnovers = runs["language"].map({True: _TURNOVERS, False: _BATCHES})
    seconds = runs["language"].map({True: _TURNOVER_SECONDS, False: _BATCHES_SECONDS})
    progress = pd.Series(np.maximum(runs["steady_turnovers"] / turnovers, runs["steady_seconds"] / seconds))
    return progress.where(runs["settled_closed"])


def _throughput_times_itl(runs: LandedRuns) -> pd.Series:
    """Throughput x median ITL over the running requests."""
    tokens_per_second = ratio(runs["steady_output_tokens"], runs["steady_seconds"])
    product = tokens_per_second * runs["itl_p50_ms"] / 1000
    return ratio(product, runs["steady_mean_running_requests"]).where(runs["settled"])


CHECKS = (
    warning(
        "mlenergy_window_settled",
        "the run never reached ML.ENERGY's steady state",
        lambda runs: (~is_true(runs["mlenergy_settled"])).where(
            runs["completed"] & runs["language"] & ~runs["is_open"]
        ),
        observed=lambda runs: runs["mlenergy_reason"],
    ),
    warning(
        "steady_window_settled",
        "the run never settled, so it has no figures",
        lambda runs: (~is_true(runs["steady_settled"])).where(
            runs["completed"] & ~runs["is_sustained"].eq(False)
        ),
        observed=lambda runs: runs["steady_reason"],
    ),
    critical(
        "windows_inside_run",
        "a window is not inside its run",
        _overhang,
        within=Tolerance(None, 1.0, "s", "a window lies inside its run; 1 s for clock rounding"),
    ),
    critical(
        "window_tokens_inside_run",
        "a window has more tokens than the run",
        _more_tokens_than_run,
    ),
    critical(
        "window_tokens_follow_from_requests",
        "the window's tokens are not those that its requests wrote",
        lambda runs: _beside_requests(
            runs["steady_output_tokens"], runs["window_tokens"], runs["paced_window_tokens"]
        ).where(runs["settled"]),
        within=Tolerance(
            -0.1,
            0.15,
            "relative",
            "recorded: -0.5 to +6.3 % if even (78 runs), -0.3 to +0.8 % at the server's pace (341 windows)",
        ),
    ),
    critical(
        "mlenergy_tokens_follow_from_requests",
        "the tokens of ML.ENERGY's window are not those that its requests wrote",
        lambda runs: _beside_requests(
            runs["mlenergy_output_tokens"],
            runs["mlenergy_window_tokens"],
            runs["mlenergy_paced_window_tokens"],
        ).where(runs["completed"]),
        within=Tolerance(-0.1, 0.15, "relative", "86 recorded runs: -3.1 to +6.3 % if even"),
    ),
    critical(
        "window_items_inside_run",
        "a window has more images or videos than the run",
        lambda runs: (runs["steady_output_items"] > runs["requests_completed"]).where(
            runs["completed"] & ~runs["language"]
        ),
    ),
    *graded(
        "steady_window_long_enough",
        "the steady window is too short",
        lambda runs: runs["steady_seconds"].where(runs["settled"] & runs["language"]),
        within=Tolerance(30, None, "s", "ML.ENERGY validator: steady state of at least 30 s"),
    ),
    *graded(
        "batches_long_enough",
        "the batches of the steady window together last too few seconds",
        lambda runs: runs["steady_seconds"].where(runs["settled"] & ~runs["language"]),
        within=Tolerance(
            10,
            None,
            "s",
            "methodology: whole batches of images or videos that last 10 s; NVML refreshes every 100 ms",
        ),
    ),
    *graded(
        "steady_window_turned_over",
        "the steady window has too few turnovers",
        _turned_over,
        within=Tolerance(
            1,
            None,
            "x the minimum",
            "methodology: 5 turnovers of every slot or 60 s; of images and videos, 3 batches or 30 s",
        ),
    ),
    *graded(
        "batch_saturated",
        "the running requests do not match the batch size",
        # Of a designed load counts what ran. Prompts with one token out wait for each other.
        lambda runs: ratio(runs["steady_mean_running_requests"], runs["batch_size"]).where(
            runs["settled_closed"] & runs["fixed_prompt_tokens"].isna()
        ),
        within=BATCH_SATURATION,
    ),
    warning(
        "no_power_trend",
        "power still changes within the steady window",
        lambda runs: runs["power_trend_of_parts"].where(runs["settled_closed"]),
        within=_TREND,
    ),
    warning(
        "no_throughput_trend",
        "throughput still changes within the steady window",
        lambda runs: runs["throughput_trend_of_parts"].where(runs["settled_closed"]),
        within=_TREND,
    ),
    warning(
        "parts_of_window_alike",
        "a part of the steady window differs from the others",
        lambda runs: runs["odd_parts_shift"].where(runs["settled_closed"]),
        within=Tolerance(
            None,
            0,
            "of the mean",
            "methodology: no part differs by more than 5 % and chance; 3 of 101 recorded runs do",
        ),
        observed=lambda runs: runs["odd_parts"],
    ),
    *graded(
        "odd_parts_do_not_decide",
        "a part of the steady window differs so much from the others that it decides the figures",
        lambda runs: runs["odd_parts_shift"].where(runs["settled_closed"]),
        within=Tolerance(
            None, 0.1, "of the mean", "twice the drift limit; the most in 101 recorded runs is 0.060"
        ),
    ),
    warning(
        "throughput_fits_latency",
        "throughput is high for the median latency",
        _throughput_times_itl,
        within=THROUGHPUT_TIMES_MEDIAN_ITL,
    ),
    *graded(
        "throughput_near_latency",
        "throughput and median latency contradict each other",
        _throughput_times_itl,
        within=Tolerance(
            None,
            3.0,
            "x running requests",
            "twice the published bound: tokens or time are counted in another unit",
        ),
    ),
)
