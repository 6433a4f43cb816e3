"""Power and the GPU's state: within TDP and power cap, above idle, not too hot, not throttled."""

from __future__ import annotations

import pandas as pd

from expectations.suites.checks import Tolerance
from expectations.suites.landed_runs import LandedRuns
from expectations.suites.run_check import critical, number, ratio, warning, with_unit

MEAN_POWER_OF_TDP = Tolerance(
    None, 1.05, "of TDP", "ML.ENERGY validator: power range; 5 % for regulation; highest published 0.98"
)
_TEMPERATURE_SOURCE = "ML.ENERGY validator: temperature range"


def _watts(runs: LandedRuns) -> pd.Series:
    """Mean power of all GPUs over the steady window."""
    return ratio(runs["steady_counter_joules"], runs["steady_counter_seconds"])


def _watts_per_gpu(runs: LandedRuns) -> pd.Series:
    return ratio(_watts(runs), runs["num_gpus"])


def _idle_watts(runs: LandedRuns) -> pd.Series:
    """Of the busiest GPU; runs recorded before that was known have the mean over their GPUs only."""
    mean = ratio(runs["idle_watts_before_server"], runs["num_gpus"])
    return number(runs["idle_watts_before_server_max_per_gpu"]).fillna(mean)


def _throttling(runs: LandedRuns) -> pd.Series:
    """Reasons in small letters, commas between them."""
    return runs["throttle_reasons"].fillna("").str.lower().str.replace(r"[^a-z,]", "", regex=True)


CHECKS = (
    critical(
        "power_within_tdp",
        "mean power is above what the GPU can draw",
        lambda runs: ratio(_watts_per_gpu(runs), runs["tdp_watts"]),
        within=MEAN_POWER_OF_TDP,
        observed=lambda runs: (
            with_unit(_watts_per_gpu(runs), "W per GPU of ") + with_unit(runs["tdp_watts"], "W TDP")
        ),
    ),
    warning(
        "power_peak_within_tdp",
        "a power reading is far above the TDP",
        lambda runs: ratio(runs["power_max_watts_per_gpu"], runs["tdp_watts"]),
        within=Tolerance(
            None,
            1.25,
            "of TDP",
            "single readings overshoot the cap for milliseconds; mean power is the strict check",
        ),
    ),
    critical(
        "power_within_limit",
        "mean power is above the power cap of the run",
        lambda runs: ratio(_watts_per_gpu(runs), runs["power_limit_watts"]),
        within=Tolerance(None, 1.05, "of the power cap", "the driver holds mean power at the cap; 5 %"),
    ),
    critical(
        "power_over_idle",
        "the GPU drew less than when it was idle",
        lambda runs: ratio(_watts(runs), runs["idle_watts_before_server"]),
        within=Tolerance(1.0, None, "x idle", "a GPU that works draws more than one that idles"),
    ),
    critical(
        "idle_was_idle",
        "the GPU was not idle before the server started",
        lambda runs: ratio(_idle_watts(runs), runs["tdp_watts"]),
        within=Tolerance(
            None,
            0.35,
            "of TDP",
            "H100, H200 and B200 idle at 10-20 % of TDP; more means that another process ran",
        ),
    ),
    critical(
        "limit_within_tdp",
        "the power cap is above the TDP of the GPU: that of another GPU",
        lambda runs: ratio(runs["power_limit_watts"], runs["tdp_watts"]),
        within=Tolerance(
            None, 1.001, "of TDP", "no cap lies above the GPU's TDP: another GPU's, or a typing error"
        ),
    ),
    critical(
        "not_too_cold",
        "the temperature is below that of a working GPU: a wrong sensor",
        lambda runs: runs["temperature_min_celsius"],
        within=Tolerance(20, None, "degrees C", _TEMPERATURE_SOURCE),
    ),
    critical(
        "not_too_hot",
        "the temperature is above what a GPU allows",
        lambda runs: runs["temperature_max_celsius"],
        within=Tolerance(None, 95, "degrees C", _TEMPERATURE_SOURCE),
    ),
    critical(
        "no_thermal_or_hardware_throttling",
        "the GPU was slowed down because of heat or hardware limits",
        lambda runs: _throttling(runs).str.contains("thermal|slowdown|brake"),
        observed=lambda runs: runs["throttle_reasons"],
    ),
    warning(
        "not_at_power_cap",
        "the power cap slowed the GPU down (normal at full load)",
        lambda runs: _throttling(runs).str.contains("powercap"),
        observed=lambda runs: runs["throttle_reasons"],
    ),
)
