"""Checks of `release_canaries` against the leaderboard and against itself."""

from __future__ import annotations

from expectations.sql import ROW_NAME
from expectations.suites.checks import Severity
from expectations.suites.mart_check import MartCheck, critical

TABLE = """
candidate.marts.release_canaries
left join (
    select leaderboard_id, runtime_version as leaderboard_version
    from candidate.marts.leaderboard
) using (leaderboard_id)
left join (
    select leaderboard_id as old_leaderboard_id, runtime_version as old_leaderboard_version
    from candidate.marts.leaderboard
) using (old_leaderboard_id)
"""
ROW_NAME_SQL = f"concat({ROW_NAME}, ' against ', old_runtime_version)"

CHECKS = (
    MartCheck(
        "key_is_unique",
        Severity.CRITICAL,
        "a canary is compared with an earlier release twice",
        unique=("leaderboard_id", "old_leaderboard_id"),
    ),
    critical(
        "canary_is_on_leaderboard",
        "a canary of a release, or of the earlier one, is not on the leaderboard under that release",
        "leaderboard_version is distinct from runtime_version"
        " or old_leaderboard_version is distinct from old_runtime_version",
    ),
    critical(
        "canary_has_two_releases",
        "a canary is compared with its own release, or without two servers of each",
        "old_runtime_version = runtime_version or coalesce(least(servers, old_servers), 0) < 2",
    ),
    critical(
        "canary_is_within_its_interval",
        "the change of a canary is outside its own interval",
        "energy_change_low > energy_change or energy_change_high < energy_change",
    ),
    critical(
        "canary_verdict_follows_from_interval",
        "the verdict of a canary contradicts its interval and the margin",
        "(verdict = 'unchanged')"
        " <> coalesce(energy_change_low >= -margin and energy_change_high <= margin, false)"
        " or (verdict = 'changed')"
        " <> coalesce(energy_change_high < -margin or energy_change_low > margin, false)",
    ),
)
