"""The record against the bundle's own files: every figure that they give as well must be the same."""

from __future__ import annotations

import pandas as pd

from expectations.suites.checks import Tolerance
from expectations.suites.landed_runs import LandedRuns
from expectations.suites.run.power import POWER_OF_A_GPU
from expectations.suites.run_check import critical, ratio, warning

_PHASE_POWER_SOURCE = "112 recorded runs: 0.95 to 1.16 while measuring, 0.22 to 0.99 while warming up"


def _start_watts(runs: LandedRuns) -> pd.Series:
    """Mean power from the start of the server on, of all GPUs."""
    return ratio(runs["server_start_joules"], runs["server_start_seconds"]).where(runs["completed"])


def _start_power(runs: LandedRuns) -> pd.Series:
    """The same over idle power."""
    return ratio(_start_watts(runs), runs["idle_watts_before_server"])


def _busiest_idle(runs: LandedRuns) -> pd.Series:
    """Idle power of the GPU that drew most, over the mean of all."""
    mean = ratio(runs["idle_watts_before_server"], runs["num_gpus"])
    return ratio(runs["idle_watts_before_server_max_per_gpu"], mean)


def _busiest_idle_impossible(runs: LandedRuns) -> pd.Series:
    """Whether the idle power of that GPU is less than the mean, or more than that of all GPUs together."""
    busiest = _busiest_idle(runs)
    return (busiest < 1 - 1e-6) | (busiest > runs["num_gpus"] * (1 + 1e-6))


def _client_share(runs: LandedRuns) -> pd.Series:
    """CPU share of the busiest process of the load generator over the mean share of all.

    Not of open loops: their first request may come long after the load began.
    """
    mean = ratio(runs["client_cpu_seconds"], runs["duration_seconds"] * runs["client_processes"])
    return ratio(runs["client_cpu_share"], mean).where(~runs["is_open"])


def _client_share_impossible(runs: LandedRuns) -> pd.Series:
    share = _client_share(runs)
    return (share < _LEAST_SHARE) | (share > runs["client_processes"] / _LEAST_SHARE)


_LEAST_SHARE = 0.6
"""A process may take a little longer than its requests; recorded: 0.996 to 1.03 of the mean."""


CHECKS = (
    critical(
        "record_follows_from_files",
        "a figure in the record is not what the bundle's files give for it",
        lambda runs: runs["contradiction_share"],
        within=Tolerance(
            None,
            1e-3,
            "relative",
            "4,700 figures of 112 recorded runs (energy, power, clocks, tokens, latencies, windows, the"
            " server's metrics) agree within 3e-5",
        ),
        observed=lambda runs: runs["contradiction"],
    ),
    critical(
        "latency_histogram_follows_from_requests",
        "the histogram of inter-token latencies is not that of the requests",
        lambda runs: ratio(runs["histogram_itl_ms"], runs["mean_itl_ms"]) - 1,
        within=Tolerance(-0.1, 0.1, "relative", "86 recorded runs: 0.1 %; two bins are 10 % wide"),
    ),
    critical(
        "token_latency_follows_from_pieces",
        "the median inter-token latency is not that of the answers whose pieces were kept",
        lambda runs: ratio(runs["itl_p50_ms"], runs["pieces_itl_ms"]) - 1,
        within=Tolerance(-0.3, 0.4, "relative", "86 recorded runs, 24 answers each: -4 to +1.4 %"),
    ),
    critical(
        "phases_fill_run",
        "the phases of the run last longer or shorter than the run",
        lambda runs: runs["unexplained_seconds"].where(runs["completed"]),
        within=Tolerance(
            -5, 10, "s", "112 recorded runs: 0.03 to 0.25 s; 5 s for a clock that was being set"
        ),
    ),
    critical(
        "phases_stand_once",
        "a phase stands in the record twice",
        lambda runs: runs["phases_repeated"].eq(True),
    ),
    critical(
        "completed_without_failure",
        "the run is said to have completed, and why it failed is said, too",
        lambda runs: runs["completed"] & runs["failure_error"].notna(),
    ),
    critical(
        "start_power_plausible",
        "mean power while the server started, per GPU, is outside what a GPU draws",
        lambda runs: ratio(_start_watts(runs), runs["num_gpus"]),
        within=POWER_OF_A_GPU,
    ),
    critical(
        "measuring_power_follows_from_timeline",
        "the power while measuring is not that of the energy counter's timeline",
        lambda runs: ratio(runs["measure_watts"], runs["load_watts"]).where(runs["completed"]),
        within=Tolerance(0.5, 1.5, "of the load's", _PHASE_POWER_SOURCE),
    ),
    critical(
        "warm_up_power_plausible",
        "the power while warming up does not fit that of the load",
        lambda runs: ratio(runs["warm_up_watts"], runs["load_watts"]).where(
            runs["completed"] & ~runs["is_open"]
        ),
        within=Tolerance(0.1, 1.5, "of the load's", _PHASE_POWER_SOURCE),
    ),
    critical(
        "busiest_idle_gpu_fits_all",
        "idle power of the GPU that drew most contradicts that of all GPUs",
        _busiest_idle_impossible,
    ),
    critical(
        "client_share_follows_from_seconds",
        "CPU share and CPU seconds of the load generator contradict each other",
        _client_share_impossible,
    ),
    critical(
        "client_verdict_follows_from_figures",
        "whether the load generator lagged is not what its figures say",
        lambda runs: runs["verdict_on_client_differs"],
    ),
    warning(
        "idle_powers_fit",
        "idle power with the model loaded does not fit that before the server started",
        lambda runs: ratio(runs["idle_watts_loaded"], runs["idle_watts_before_server"]),
        within=Tolerance(0.9, 2.5, "x", "48 recorded starts: 1.43 to 1.76; a loaded model keeps clocks up"),
    ),
    warning(
        "start_power_fits_idle",
        "power while the server started does not fit idle power",
        _start_power,
        within=Tolerance(0.9, 2.3, "x idle", "48 recorded starts: 1.20 to 1.48"),
    ),
)
