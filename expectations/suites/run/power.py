"""Power and the GPU's state: within TDP and power cap, above idle, not too hot, not throttled."""

from __future__ import annotations

import numpy as np
import pandas as pd

from expectations.suites.checks import Tolerance
from expectations.suites.landed_runs import LandedRuns
from expectations.suites.run_check import critical, number, ratio, warning, with_unit

MEAN_POWER_OF_TDP = Tolerance(
    None, 1.05, "of TDP", "ML.ENERGY validator: power range; 5 % for regulation; highest published 0.98"
)
PEAK_POWER_OF_TDP = Tolerance(
    None,
    1.6,
    "of TDP",
    "NVML's instant power is not averaged, and the power limit holds for the average: of 101 recorded runs,"
    " read every 100 ms, the highest reading was 1.42, and 95 % were below 1.31",
)
POWER_WHILE_CAPPED = Tolerance(
    0.75,
    None,
    "of the power cap",
    "45 recorded runs that were at the power cap in 9 of 10 readings drew 0.88 to 0.99 of it on average",
)
_ALWAYS_CAPPED = 0.9
"""Of the readings: a run that met its power cap for moments only tells nothing about it."""

_WITHIN_CLOCKS = Tolerance(
    None, 1.001, "of the highest", "catalog: the highest clock that the driver lets this GPU model run at"
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


def _highest_idle_watts(runs: LandedRuns) -> pd.Series:
    """Before the server started, or with the model loaded; summed over the GPUs."""
    before, loaded = number(runs["idle_watts_before_server"]), number(runs["idle_watts_loaded"])
    return pd.Series(np.fmax(before, loaded))


def _throttling(runs: LandedRuns) -> pd.Series:
    """Throttle reasons in lower case, separated by commas."""
    return runs["throttle_reasons"].fillna("").str.lower().str.replace(r"[^a-z,]", "", regex=True)


POWER_OF_A_GPU = Tolerance(10, 2000, "W", "from below any idle GPU to above any limit of power")

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
        within=PEAK_POWER_OF_TDP,
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
        lambda runs: ratio(_watts(runs), _highest_idle_watts(runs)).where(~runs["is_open"]),
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
        "idle_not_too_low",
        "idle power is below that of a GPU: another unit, or no reading",
        lambda runs: ratio(ratio(runs["idle_watts_before_server"], runs["num_gpus"]), runs["tdp_watts"]),
        within=Tolerance(0.03, None, "of TDP", "recorded H100s and H200s idle at 0.10 to 0.13 of it"),
    ),
    critical(
        "limit_as_on_gpus",
        "the power cap of the run is not that of its GPUs",
        lambda runs: ratio(runs["power_limit_watts"], runs["gpu_limit_watts"]) - 1,
        within=Tolerance(-1e-3, 1e-3, "relative", "the record takes the cap from the GPUs, up to rounding"),
    ),
    critical(
        "clock_plausible",
        "the clock of the GPU is implausible: another unit, or a wrong sensor",
        lambda runs: runs["sm_clock_median_mhz"],
        within=Tolerance(
            100,
            4000,
            "MHz",
            "recorded H100s and H200s under load: 1,545 to 1,980; no GPU reaches twice as much",
        ),
    ),
    critical(
        "sm_clock_possible",
        "the clock of the GPU is above the highest that its model has",
        lambda runs: ratio(runs["sm_clock_median_mhz"], runs["max_sm_clock_mhz"]),
        within=_WITHIN_CLOCKS,
        observed=lambda runs: (
            with_unit(runs["sm_clock_median_mhz"], "MHz of ") + with_unit(runs["max_sm_clock_mhz"], "MHz")
        ),
    ),
    critical(
        "memory_clock_possible",
        "the clock of the GPU's memory is above the highest that its model has",
        lambda runs: ratio(runs["memory_clock_median_mhz"], runs["max_memory_clock_mhz"]),
        within=_WITHIN_CLOCKS,
        observed=lambda runs: (
            with_unit(runs["memory_clock_median_mhz"], "MHz of ")
            + with_unit(runs["max_memory_clock_mhz"], "MHz")
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
        "power_cap_explains_throttling",
        "the power cap slowed the GPU down although the GPU drew much less: another limit is at work",
        lambda runs: ratio(_watts_per_gpu(runs), runs["power_limit_watts"]).where(
            runs["power_cap_share"] >= _ALWAYS_CAPPED
        ),
        within=POWER_WHILE_CAPPED,
    ),
)
