"""Checks of `release_history` against the leaderboard and against itself."""

from __future__ import annotations

from expectations.sql import ROW_NAME
from expectations.suites.checks import Severity
from expectations.suites.mart.leaderboard import EQUAL_UP_TO_ROUNDING
from expectations.suites.mart_check import MartCheck, critical

TABLE = """
candidate.marts.release_history
left join (
    select leaderboard_id, true as is_on_leaderboard, energy_per_output_joules as leaderboard_joules
    from candidate.marts.leaderboard
) using (leaderboard_id)
"""
ROW_NAME_SQL = ROW_NAME

CHECKS = (
    MartCheck(
        "key_is_unique",
        Severity.CRITICAL,
        "a release of a configuration appears twice",
        unique=("leaderboard_id",),
    ),
    critical(
        "history_is_on_leaderboard",
        "a row of the release history is not on the leaderboard",
        "is_on_leaderboard is null",
    ),
    critical(
        "history_equals_leaderboard",
        "the energy of a release differs from that of its leaderboard row",
        "energy_per_output_joules / leaderboard_joules - 1",
        within=EQUAL_UP_TO_ROUNDING,
    ),
    critical(
        "change_has_two_releases",
        "a change has no earlier release, or a release is compared with itself",
        "(previous_runtime_version is null or previous_runtime_version = runtime_version)"
        " and energy_change is not null",
    ),
    critical(
        "change_is_within_its_interval",
        "a change of energy is outside its own interval",
        "energy_change_low > energy_change or energy_change_high < energy_change"
        " or energy_change_since_first_low > energy_change_since_first"
        " or energy_change_since_first_high < energy_change_since_first",
    ),
    critical(
        "verdict_follows_from_interval",
        "the verdict on a change contradicts its interval",
        "coalesce(energy_verdict = 'better', false) <> coalesce(energy_change_high < 0, false)"
        " or coalesce(energy_verdict = 'worse', false) <> coalesce(energy_change_low > 0, false)",
    ),
    critical(
        "confirmed_by_reruns",
        "a change is called confirmed without two servers of each release, or without a clear change",
        "confirmation = 'confirmed' and (energy_verdict not in ('better', 'worse')"
        " or previous_on_same_gpus is not true"
        " or coalesce(least(rerun_servers, previous_rerun_servers), 0) < 2)",
    ),
    critical(
        "contest_is_shown",
        "a change that a person contests is shown without that, or is called contested by nobody",
        "(confirmation = 'contested') <> (contested_by is not null and contest_note is not null)"
        " or (confirmation <> 'contested' and confirmation <> rerun_result)",
    ),
)
