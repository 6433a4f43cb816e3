"""Checks of `canary_savings` against the canaries and the leaderboard."""

from __future__ import annotations

from expectations.suites.checks import Severity
from expectations.suites.mart_check import MartCheck, critical

TABLE = """
candidate.marts.canary_savings
full join (
    select
        data_source,
        runtime,
        runtime_version,
        gpu_model,
        count(distinct leaderboard_id) as canaries_compared
    from candidate.marts.release_canaries
    group by all
) using (data_source, runtime, runtime_version, gpu_model)
"""
ROW_NAME_SQL = "concat_ws(' | ', data_source, runtime, runtime_version, gpu_model)"

CHECKS = (
    MartCheck(
        "key_is_unique", Severity.CRITICAL, "the canaries of a release appear twice", unique=("saving_id",)
    ),
    critical(
        "every_canary_has_its_cost",
        "canaries of a release have no cost, or another number of canaries than were compared",
        "saving_id is null or canaries is distinct from canaries_compared",
    ),
    critical(
        "saved_only_where_rows_wait",
        "GPU time was saved without a row that waits and whose cost is known, or such a row saved none",
        "configurations_with_cost > configurations_waiting"
        " or (saved_gpu_hours is null) <> (configurations_with_cost = 0)",
    ),
    critical(
        "costs_are_positive",
        "GPU time that was spent or saved is zero or negative",
        "least(spent_gpu_hours, saved_gpu_hours) <= 0",
    ),
)
