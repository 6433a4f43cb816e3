"""Cross-run suite: accepted runs against each other. Repeats must agree; a sweep must be a curve."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd
import pyarrow as pa

from benchmark_tasks.results.schema import Comparability, Configuration
from expectations.suites import tolerances as t
from expectations.suites.checks import Check, Severity

COMPARABILITY = tuple(Comparability.model_fields)
CONFIGURATION = tuple(Configuration.model_fields)
_MEASURED = ("output_tokens", "output_items", "start_seconds", "end_seconds", "counter_joules")
_COLUMNS = ["run_id", *CONFIGURATION, *COMPARABILITY, *(f"steady_{name}" for name in _MEASURED)]


def cross_run_checks() -> tuple[Check, ...]:
    """Checks over `cross_run_frame`."""
    return (
        Check(
            "repeats_agree_on_energy",
            Severity.WARNING,
            "repeats of this configuration differ in energy per output",
            within=t.REPEAT_SPREAD,
        ),
        Check(
            "repeats_are_one_experiment",
            Severity.CRITICAL,
            "energy per output is far from the other repeats of this configuration",
            within=t.REPEAT_OUTLIER,
        ),
        Check(
            "repeats_agree_on_throughput",
            Severity.WARNING,
            "repeats of this configuration differ in throughput",
            within=t.REPEAT_SPREAD,
        ),
        Check(
            "energy_falls_with_batch_size",
            Severity.WARNING,
            "energy per output rises steeply from the next smaller batch size",
            within=t.SERIES_STEP,
        ),
    )


def cross_run_frame(table: pa.Table, accepted: Collection[str]) -> pd.DataFrame:
    """One row an accepted run: its distance from its repeats' median and from the smaller batch.

    An outlier is told from its repeats only when there are three or more: of two that differ,
    neither can be told to be the wrong one.
    """
    runs = table.select(_COLUMNS).to_pandas()
    runs = runs[runs["run_id"].isin(accepted)].reset_index(drop=True)
    output = runs["steady_output_tokens"].fillna(runs["steady_output_items"]).astype("float64")
    seconds = (runs["steady_end_seconds"] - runs["steady_start_seconds"]).astype("float64")
    runs["energy"] = runs["steady_counter_joules"].astype("float64") / output.where(output > 0)
    runs["throughput"] = output / seconds.where(seconds > 0)
    keys = [*CONFIGURATION, *COMPARABILITY]
    groups = runs.groupby(keys, dropna=False, sort=False)
    energy = runs["energy"] / groups["energy"].transform("median") - 1
    return pd.DataFrame(
        {
            "run_id": runs["run_id"],
            "repeats_agree_on_energy": energy,
            "repeats_are_one_experiment": energy.where(groups["energy"].transform("count") >= 3),
            "repeats_agree_on_throughput": runs["throughput"] / groups["throughput"].transform("median") - 1,
            "energy_falls_with_batch_size": _step_up(runs, keys),
        }
    )


def _step_up(runs: pd.DataFrame, keys: list[str]) -> pd.Series:
    """Median energy per output of a run's configuration over that of the next smaller batch size."""
    medians = runs.groupby(keys, dropna=False, sort=False)["energy"].median().rename("median").reset_index()
    series = [key for key in keys if key != "batch_size"]
    medians = medians.sort_values("batch_size")
    smaller = medians.groupby(series, dropna=False, sort=False)["median"].shift()
    medians["step"] = medians["median"] / smaller
    return runs[keys].merge(medians, on=keys, how="left")["step"].astype("float64")
