"""Checks of `serving_capacity` against `energy_under_load`."""

from __future__ import annotations

from expectations.suites.checks import Severity, Tolerance
from expectations.suites.mart_check import MartCheck, critical

TABLE = """
candidate.marts.serving_capacity
left join (
    select
        load_id,
        request_rate as load_rate,
        is_sustained as load_is_sustained,
        ttft_p99_ms as load_ttft_p99_ms,
        energy_per_response_joules as load_energy_per_response_joules
    from candidate.marts.energy_under_load
) using (load_id)
"""
ROW_NAME_SQL = (
    "concat_ws(' | ', model_id, task, concat(num_gpus, 'x ', gpu_model), objective, runtime_version,"
    " left(capacity_id, 8))"
)

CHECKS = (
    MartCheck("key_is_unique", Severity.CRITICAL, "a capacity appears twice", unique=("capacity_id",)),
    critical(
        "capacity_is_a_measured_load",
        "a capacity is not the rate of a load that was measured and sustained",
        "(highest_request_rate is null) <> (load_id is null)"
        " or load_rate is distinct from highest_request_rate or not load_is_sustained",
    ),
    critical(
        "capacity_meets_its_ceiling",
        "the load at a capacity is above the ceiling of its objective",
        "ttft_percentile = 99 and load_ttft_p99_ms > ttft_ceiling_ms",
    ),
    critical(
        "capacity_equals_its_load",
        "energy per request at a capacity is not that of its load",
        "load_energy_per_response_joules is distinct from energy_per_response_joules",
    ),
    critical(
        "requests_per_kwh_follow_from_energy",
        "requests per kWh do not follow from energy per request",
        "requests_per_kwh * energy_per_response_joules / 3.6e6 - 1",
        within=Tolerance(-1e-6, 1e-6, "relative", "one is derived from the other, up to rounding"),
    ),
    critical(
        "power_shares_are_plausible",
        "the share of full-load power at a part of the load is negative or above full load",
        "least(power_share_idle, power_share_at_10_percent, power_share_at_50_percent) <= 0"
        " or greatest(power_share_idle, power_share_at_10_percent, power_share_at_50_percent) > 1.1",
    ),
)
