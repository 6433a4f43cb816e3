"""Energy: measured by a counter, confirmed by a second instrument, complete over the GPUs, plausible."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmark_tasks.vocabulary import EnergySource
from expectations.suites.checks import Tolerance
from expectations.suites.landed_runs import LandedRuns
from expectations.suites.run_check import critical, is_true, ratio, warning

JOULES_PER_TOKEN = Tolerance(
    1e-4, 1e3, "J/token", "published range 0.028 to 34 J/token, a factor of 30 to 300 wider"
)
JOULES_PER_ITEM = Tolerance(
    1, 1e8, "J/item", "published range 338 J per image to 1.5 MJ per video, a factor of 70 to 300 wider"
)
_TWO_INSTRUMENTS = Tolerance(
    -0.02, 0.02, "relative", "methodology: energy counter and integral of power agree within 2 %"
)


def _has_joules(runs: LandedRuns) -> pd.Series:
    return runs["steady_counter_joules"].notna()


def _in_unsettled_window(runs: LandedRuns) -> pd.Series:
    steady = ~is_true(runs["steady_settled"]) & _has_joules(runs)
    mlenergy = ~is_true(runs["mlenergy_settled"]) & runs["mlenergy_counter_joules"].notna()
    return steady | mlenergy


def _gpu_sums_off(runs: LandedRuns) -> pd.Series:
    """Relative difference between the sum over the GPUs and the total, the larger of both windows."""
    steady = runs["steady_joules_of_gpus"]
    mlenergy = runs["mlenergy_joules_of_gpus"]
    return pd.Series(
        np.fmax(
            (ratio(steady, runs["steady_counter_joules"]) - 1).abs(),
            (ratio(mlenergy, runs["mlenergy_counter_joules"]) - 1).abs(),
        )
    )


CHECKS = (
    critical(
        "no_energy_without_counter",
        "the run has energy but no energy counter: an estimate",
        lambda runs: (_has_joules(runs) | runs["mlenergy_counter_joules"].notna()) & ~runs["has_energy"],
    ),
    critical(
        "energy_was_measured_here",
        "energy was replayed from a recording, not measured",
        lambda runs: runs["energy_source"] == EnergySource.REPLAY,
    ),
    critical(
        "counter_has_energy",
        "the run had an energy counter but has no energy figure",
        lambda runs: (~_has_joules(runs) & is_true(runs["steady_settled"]) & runs["has_energy"]).where(
            runs["completed"]
        ),
    ),
    warning(
        "absence_has_a_reason",
        "the run does not say why it has no energy",
        lambda runs: (runs["energy_absent_reason"].isna() & ~runs["has_energy"]).where(runs["completed"]),
    ),
    critical(
        "no_energy_in_unsettled_window",
        "a window that never settled has an energy figure",
        _in_unsettled_window,
    ),
    critical(
        "two_instruments_present",
        "the integral of power is missing, so nothing confirms the energy counter",
        lambda runs: _has_joules(runs) & ~(runs["steady_integral_joules"] > 0),
    ),
    critical(
        "two_instruments_agree",
        "the energy counter and the integral of power differ",
        lambda runs: ratio(runs["steady_counter_joules"], runs["steady_integral_joules"]) - 1,
        within=_TWO_INSTRUMENTS,
    ),
    critical(
        "two_instruments_agree_mlenergy",
        "the energy counter and the integral of power differ in ML.ENERGY's window",
        lambda runs: ratio(runs["mlenergy_counter_joules"], runs["mlenergy_integral_joules"]) - 1,
        within=_TWO_INSTRUMENTS,
    ),
    critical(
        "integral_follows_from_timeline",
        "the integral of power in the record differs from that of the power timeline",
        lambda runs: (ratio(runs["timeline_joules"], runs["steady_integral_joules"]) - 1).where(
            is_true(runs["steady_settled"])
        ),
        within=Tolerance(-0.02, 0.02, "relative", "the integral in the record follows from its own timeline"),
    ),
    critical(
        "counter_spans_window",
        "the energy counter was not read at the ends of the window",
        lambda runs: (ratio(runs["steady_counter_seconds"], runs["steady_seconds"]) - 1).where(
            _has_joules(runs)
        ),
        within=Tolerance(
            -0.02,
            0.02,
            "relative",
            "NVML updates its counter about every 100 ms: 2 updates in a window of 30 s",
        ),
    ),
    critical(
        "energy_sums_over_gpus",
        "the energies of the GPUs do not add up to the total",
        _gpu_sums_off,
        within=Tolerance(-1e-6, 1e-6, "relative", "the total is the sum over the GPUs, up to rounding"),
    ),
    critical(
        "energy_of_every_gpu",
        "the number of GPUs with an energy figure is not the number of GPUs of the run",
        lambda runs: (runs["energy_gpus"] != runs["num_gpus"]).where(_has_joules(runs)),
    ),
    critical(
        "energy_per_token_plausible",
        f"energy per token is implausible: outside {JOULES_PER_TOKEN}",
        lambda runs: ratio(runs["steady_counter_joules"], runs["steady_output_tokens"]),
        within=JOULES_PER_TOKEN,
    ),
    critical(
        "energy_per_item_plausible",
        f"energy per image or video is implausible: outside {JOULES_PER_ITEM}",
        lambda runs: ratio(runs["steady_counter_joules"], runs["steady_output_items"]),
        within=JOULES_PER_ITEM,
    ),
)
