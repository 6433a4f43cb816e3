"""Instruments: power and server metrics sampled throughout the window."""

from __future__ import annotations

import pandas as pd

from expectations.suites.checks import Tolerance
from expectations.suites.landed_runs import LandedRuns
from expectations.suites.run_check import critical, graded, warning

_COVERAGE = Tolerance(
    0.75, None, "of the window", "ML.ENERGY validator: metrics collected at least 75 % of the time"
)


def _has_joules(runs: LandedRuns) -> pd.Series:
    return runs["steady_counter_joules"].notna()


CHECKS = (
    critical(
        "power_sampled_throughout",
        "the power timeline has gaps",
        lambda runs: runs["power_coverage"].fillna(0).where(_has_joules(runs) & runs["problem"].isna()),
        within=_COVERAGE,
    ),
    critical(
        "power_of_every_gpu",
        "the power timeline has more or fewer GPUs than the run",
        lambda runs: (runs["power_gpus"] != runs["num_gpus"]).where(
            _has_joules(runs) & runs["power_gpus"].notna()
        ),
    ),
    critical(
        "power_not_frozen",
        "the power reading did not change for too long",
        lambda runs: runs["power_frozen_seconds"].where(_has_joules(runs) & runs["request_rate"].ne(0)),
        within=Tolerance(
            None, 5.0, "s", "power is read in mW: the same reading for 5 s under load is a hung sensor"
        ),
    ),
    warning(
        "server_metrics_present",
        "the window has no metrics of the server",
        lambda runs: (
            runs["metrics_coverage"]
            .isna()
            .where(runs["completed"] & runs["problem"].isna() & runs["language"])
        ),
    ),
    *graded(
        "server_metrics_throughout",
        "the server metrics have gaps",
        lambda runs: runs["metrics_coverage"].where(runs["completed"]),
        within=_COVERAGE,
    ),
)
