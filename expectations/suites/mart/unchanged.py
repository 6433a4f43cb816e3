"""Checks of what the leaderboard says of releases under which a row was not measured."""

from __future__ import annotations

from expectations.sql import ROW_NAME
from expectations.suites.mart_check import critical

TABLE = """
candidate.marts.leaderboard
left join (
    select
        data_source,
        gpu_model,
        runtime,
        runtime_version as canaries_unchanged_until,
        old_runtime_version as runtime_version,
        count(*) filter (verdict = 'unchanged') as canaries_unchanged
    from candidate.marts.release_canaries
    group by all
) using (data_source, gpu_model, runtime, canaries_unchanged_until, runtime_version)
"""
ROW_NAME_SQL = ROW_NAME

CHECKS = (
    critical(
        "unchanged_is_said_by_canaries",
        "a row is said to be unchanged under a release for which no canary on its GPU model says so",
        "canaries_unchanged_until is not null and coalesce(canaries_unchanged, 0) = 0",
    ),
)
