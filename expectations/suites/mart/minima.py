"""Checks of `min_energy_configurations` against the leaderboard it is drawn from."""

from __future__ import annotations

from expectations.sql import ROW_NAME
from expectations.suites.checks import Severity
from expectations.suites.mart.leaderboard import EQUAL_UP_TO_ROUNDING
from expectations.suites.mart_check import MartCheck, critical

TABLE = """
candidate.marts.min_energy_configurations
left join (
    select leaderboard_id, true as is_on_leaderboard, energy_per_output_joules as leaderboard_joules
    from candidate.marts.leaderboard
) using (leaderboard_id)
"""
ROW_NAME_SQL = f"concat_ws(' | ', scope, {ROW_NAME})"

CHECKS = (
    MartCheck("key_is_unique", Severity.CRITICAL, "a minimum appears twice", unique=("min_energy_id",)),
    critical(
        "minimum_is_on_leaderboard",
        "a minimum is not on the leaderboard",
        "is_on_leaderboard is null",
    ),
    critical(
        "minimum_equals_leaderboard",
        "the energy of a minimum differs from that of its leaderboard row",
        "energy_per_output_joules / leaderboard_joules - 1",
        within=EQUAL_UP_TO_ROUNDING,
    ),
    MartCheck(
        "minimum_has_energy",
        Severity.CRITICAL,
        "a minimum has no energy",
        column="energy_per_output_joules",
        not_null=True,
    ),
)
