"""Cross-run suite: accepted runs against each other. Repeats agree; energy does not jump within a sweep."""

from __future__ import annotations

from typing import Literal

import pandas as pd

from benchmark_tasks.results.identity import IDENTITY_KEYS
from expectations.suites.checks import Tolerance
from expectations.suites.landed_runs import LandedRuns
from expectations.suites.run_check import RunCheck, critical, warning

_KEYS = [*IDENTITY_KEYS, "contributor"]
"""Nobody's runs are judged by those of others."""

READ = (*_KEYS, "steady_output_tokens", "steady_output_items", "steady_counter_joules", "steady_seconds")
"""The columns that the checks need."""

_REPEATS_FOR_AN_OUTLIER = 3
"""With two repeats that differ, it is not known which one is wrong."""

_REPEAT_SPREAD = Tolerance(
    -0.20, 0.20, "of the median", "the three published replicates differ by 5, 10 and 19 %"
)


def cross_run_checks() -> tuple[RunCheck, ...]:
    """Every cross-run check."""
    return CHECKS


def _outputs(runs: LandedRuns) -> pd.Series:
    return runs["steady_output_tokens"].fillna(runs["steady_output_items"]).astype("float64")


def _energy(runs: LandedRuns) -> pd.Series:
    """Joules per output."""
    outputs = _outputs(runs)
    return runs["steady_counter_joules"].astype("float64") / outputs.where(outputs > 0)


def _throughput(runs: LandedRuns) -> pd.Series:
    seconds = runs["steady_seconds"].astype("float64")
    return _outputs(runs) / seconds.where(seconds > 0)


def _among_repeats(runs: LandedRuns, values: pd.Series, statistic: Literal["median", "count"]) -> pd.Series:
    """A statistic over the runs of the same configuration and comparability, for each of them."""
    keys = [runs[key] for key in _KEYS]
    result: pd.Series = values.groupby(keys, dropna=False, sort=False).transform(statistic)
    return result


def _from_median(runs: LandedRuns, values: pd.Series) -> pd.Series:
    return values / _among_repeats(runs, values, "median") - 1


def _outlying_energy(runs: LandedRuns) -> pd.Series:
    energy = _energy(runs)
    enough = _among_repeats(runs, energy, "count") >= _REPEATS_FOR_AN_OUTLIER
    return _from_median(runs, energy).where(enough)


def _step_up(runs: LandedRuns) -> pd.Series:
    """Median energy per output of a run's configuration over that of the next smaller batch size."""
    table = runs.table[_KEYS].assign(energy=_energy(runs))
    medians = table.groupby(_KEYS, dropna=False, sort=False)["energy"].median().rename("median").reset_index()
    series = [key for key in _KEYS if key != "batch_size"]
    medians = medians.sort_values("batch_size")
    smaller = medians.groupby(series, dropna=False, sort=False)["median"].shift()
    medians["step"] = medians["median"] / smaller
    return table.merge(medians, on=_KEYS, how="left")["step"].astype("float64").set_axis(table.index)


CHECKS = (
    warning(
        "repeats_agree_on_energy",
        "repeats of this configuration differ in energy per output",
        lambda runs: _from_median(runs, _energy(runs)),
        within=_REPEAT_SPREAD,
    ),
    critical(
        "repeats_are_one_experiment",
        "energy per output is far from that of the other repeats of this configuration",
        _outlying_energy,
        within=Tolerance(
            -0.60,
            1.5,
            "of the median",
            "a factor of 2.5 between repeats of one configuration means that something else was measured",
        ),
    ),
    warning(
        "repeats_agree_on_throughput",
        "repeats of this configuration differ in throughput",
        lambda runs: _from_median(runs, _throughput(runs)),
        within=_REPEAT_SPREAD,
    ),
    warning(
        "energy_falls_with_batch_size",
        "energy per output rises steeply from the next smaller batch size",
        _step_up,
        within=Tolerance(
            None,
            1.5,
            "x the smaller batch",
            "energy per token falls with the batch size; it may rise at saturation",
        ),
    ),
)
