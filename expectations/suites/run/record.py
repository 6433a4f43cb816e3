"""The record against the bundle's own files: every figure that they give as well must be the same."""

from __future__ import annotations

import pandas as pd

from benchmark_tasks.client.load_processes import CPU_SHARE_LIMIT, LAG_LIMIT_MS
from benchmark_tasks.results.schema import Client, Phase, Run
from expectations.suites.checks import Tolerance
from expectations.suites.landed_runs import LandedRuns
from expectations.suites.run_check import critical, number, ratio, warning

_PHASE_POWER_SOURCE = "112 recorded runs: 0.95 to 1.16 while measuring, 0.22 to 0.99 while warming up"


def _phase(run: Run, name: str) -> Phase | None:
    return next((phase for phase in run.phases if phase.name == name), None)


def _unexplained_seconds(runs: LandedRuns) -> pd.Series:
    """Seconds between start and end of a run that are in no phase of it."""

    def unexplained(run: Run) -> float | None:
        phases = [_phase(run, name) for name in ("warm-up", "measure")]
        inside = sum(phase.seconds for phase in phases if phase is not None)
        return (run.finished_at - run.started_at).total_seconds() - inside if all(phases) else None

    return number(runs.each(unexplained)).where(runs["completed"])


def _phase_power(runs: LandedRuns, name: str) -> pd.Series:
    """Mean power of a phase over that of the load."""

    def watts(run: Run) -> float | None:
        phase = _phase(run, name)
        known = phase is not None and phase.joules is not None and phase.seconds > 0
        return phase.joules / phase.seconds if known else None  # type: ignore[union-attr, operator]

    return ratio(runs.each(watts), runs["load_watts"]).where(runs["completed"])


def _start_power(runs: LandedRuns) -> pd.Series:
    """Mean power from the start of the server on, over idle power."""
    watts = ratio(runs["server_start_joules"], runs["server_start_seconds"])
    return ratio(watts, runs["idle_watts_before_server"]).where(runs["completed"])


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


def _other_verdict_on_client(runs: LandedRuns) -> pd.Series:
    def other(client: Client | None) -> bool | None:
        if client is None:
            return None
        return client.lagged != (
            client.cpu_share > CPU_SHARE_LIMIT or (client.loop_lag_p99_ms or 0) > LAG_LIMIT_MS
        )

    return runs.each(lambda run: other(run.client))


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
        _unexplained_seconds,
        within=Tolerance(
            -5, 10, "s", "112 recorded runs: 0.03 to 0.25 s; 5 s for a clock that was being set"
        ),
    ),
    critical(
        "measuring_power_follows_from_timeline",
        "the power while measuring is not that of the energy counter's timeline",
        lambda runs: _phase_power(runs, "measure"),
        within=Tolerance(0.5, 1.5, "of the load's", _PHASE_POWER_SOURCE),
    ),
    critical(
        "warm_up_power_plausible",
        "the power while warming up does not fit that of the load",
        lambda runs: _phase_power(runs, "warm-up").where(~runs["is_open"]),
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
        _other_verdict_on_client,
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
