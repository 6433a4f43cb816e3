"""A server that slept: only where it was idle, with two instruments that agree, at a power a GPU can have."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmark_tasks.results.summary import SLEEP_LEVELS
from expectations.suites.checks import Tolerance
from expectations.suites.landed_runs import LandedRuns
from expectations.suites.run_check import critical, number, ratio


def _farthest(*shares: pd.Series) -> pd.Series:
    """Of these shares, run by run, the one farthest from 1; NULL where there is none."""
    together = pd.concat(shares, axis=1)
    farthest = (together - 1).abs().fillna(-1).to_numpy().argmax(axis=1)
    return pd.Series(together.to_numpy()[range(len(together)), farthest], index=together.index)


def _energies_apart(runs: LandedRuns) -> pd.Series:
    counted = [
        ratio(runs[f"asleep_counter_joules_level_{level}"], runs[f"asleep_integral_joules_level_{level}"])
        for level in SLEEP_LEVELS
    ]
    return _farthest(*counted) - 1


def _asleep_of_idle(runs: LandedRuns) -> pd.Series:
    """Power asleep over that of the idle window before it."""
    idle = ratio(runs["steady_counter_joules"], runs["steady_counter_seconds"])
    asleep = [
        ratio(runs[f"asleep_counter_joules_level_{level}"], runs[f"asleep_counter_seconds_level_{level}"])
        for level in SLEEP_LEVELS
    ]
    return _farthest(*(ratio(watts, idle) for watts in asleep))


def _not_positive(runs: LandedRuns) -> pd.Series:
    """Whether a time or an energy of a sleep is zero or negative."""
    parts = [
        f"{part}_level_{level}"
        for level in SLEEP_LEVELS
        for part in (
            *("falling_asleep_seconds", "falling_asleep_joules", "waking_seconds", "waking_joules"),
            *("asleep_counter_seconds", "asleep_counter_joules"),
        )
    ]
    return pd.Series(
        np.logical_or.reduce([number(runs[part]) <= 0 for part in parts]), index=runs.table.index
    )


CHECKS = (
    critical(
        "sleep_is_positive",
        "a time or an energy of a sleep is zero or negative",
        _not_positive,
    ),
    critical(
        "sleep_only_of_idle",
        "a server slept beside another load than none",
        lambda runs: runs["slept"] & ~runs["request_rate"].eq(0),
    ),
    critical(
        "asleep_energies_agree",
        "asleep, the energy counter and the integral of power differ",
        _energies_apart,
        within=Tolerance(
            -0.02, 0.02, "relative", "methodology: energy counter and integral of power agree within 2 %"
        ),
    ),
    critical(
        "asleep_power_is_idle_power",
        "asleep, the GPU drew a power that no GPU without work has",
        _asleep_of_idle,
        within=Tolerance(
            0.2, 1.3, "x idle power with the model", "clocks may fall when memory is given back, not rise"
        ),
    ),
)
