"""Checks of `release_summary` against the history that it counts."""

from __future__ import annotations

from expectations.suites.checks import Severity
from expectations.suites.mart_check import MartCheck, critical

TABLE = """
candidate.marts.release_summary
full join (
    select
        data_source,
        runtime,
        runtime_release as runtime_version,
        count(*) as history_rows,
        count(energy_change) as history_compared,
        count(*) filter (energy_verdict = 'better') as history_lower,
        count(*) filter (energy_verdict = 'worse') as history_higher,
        count(*) filter (confirmation = 'confirmed') as history_confirmed,
        count(*) filter (confirmation = 'contested') as history_contested
    from candidate.marts.release_history
    group by all
) using (data_source, runtime, runtime_version)
"""
ROW_NAME_SQL = "concat_ws(' | ', data_source, runtime, runtime_version)"

CHECKS = (
    MartCheck("key_is_unique", Severity.CRITICAL, "a release appears twice", unique=("release_id",)),
    critical(
        "every_release_is_summed_up",
        "a release of the history has no summary, or a summary has no history",
        "release_id is null or history_rows is null",
    ),
    critical(
        "summary_counts_its_history",
        "a release is said to have another number of configurations than its history has",
        "configurations_measured <> history_rows or configurations_compared <> history_compared",
    ),
    critical(
        "summary_counts_its_changes",
        "a release is said to have another number of changes than its history has",
        "energy_lower <> history_lower or energy_higher <> history_higher"
        " or changes_confirmed <> history_confirmed or changes_contested <> history_contested",
    ),
    critical(
        "median_change_is_within_range",
        "the median change of a release is outside its lowest and highest change",
        "median_energy_change < lowest_energy_change or median_energy_change > highest_energy_change",
    ),
)
