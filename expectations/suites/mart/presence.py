"""The check that every mart is there that readers rely on."""

from __future__ import annotations

from expectations.suites.mart_check import critical

EXPECTED_MARTS = (
    "leaderboard",
    "min_energy_configurations",
    "release_history",
    "release_summary",
    "release_canaries",
    "canary_savings",
    "energy_under_load",
    "serving_capacity",
    "joules_per_correct_answer",
    "waiting_costs",
    "energy_prices",
    "energy_price_proof",
    "variance_components",
    "uncertainty_budget",
    "diffusion_energy_surface",
    "diffusion_energy_law",
    "diffusion_law_proof",
    "run_log",
    "quarantine",
    "publications",
)

TABLE = f"""
(
    select unnest({list(EXPECTED_MARTS)}) as mart
) left join (
    select table_name as mart, true as is_there
    from information_schema.tables
    where table_catalog = 'candidate' and table_schema = 'marts'
) using (mart)
"""
ROW_NAME_SQL = "mart"

CHECKS = (critical("mart_is_there", "a mart that readers rely on is missing", "is_there is null"),)
