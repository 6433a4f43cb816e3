"""Checks of `energy_under_load`: rates, shares and figures of open loops fit each other."""

from __future__ import annotations

from expectations.suites.checks import Severity, Tolerance
from expectations.suites.mart_check import MartCheck, critical

TABLE = "candidate.marts.energy_under_load"
ROW_NAME_SQL = (
    "concat_ws(' | ', model_id, task, concat(num_gpus, 'x ', gpu_model), concat(request_rate, ' requests/s'),"
    " runtime_version, left(load_id, 8))"
)

CHECKS = (
    MartCheck("key_is_unique", Severity.CRITICAL, "a load appears twice", unique=("load_id",)),
    critical(
        "load_has_a_rate",
        "a load has no request rate, or burstiness without arrivals",
        "request_rate is null or request_rate < 0 or (burstiness is null) <> (request_rate = 0)",
    ),
    critical(
        "idle_has_no_output",
        "an idle row has arrivals, tokens or energy per token",
        "request_rate = 0 and (coalesce(offered_requests_per_second, 0) > 0"
        " or coalesce(throughput_per_second, 0) > 0 or energy_per_output_joules is not null)",
    ),
    critical(
        "no_energy_without_counter",
        "a load has energy but no energy counter: an estimate",
        "energy_source = 'none' and (mean_power_watts is not null or energy_per_output_joules is not null)",
    ),
    critical(
        "load_interval_holds_mean",
        "energy or power of a load is outside its own interval",
        "energy_per_output_low_joules > energy_per_output_joules"
        " or energy_per_output_high_joules < energy_per_output_joules"
        " or mean_power_low_watts > mean_power_watts or mean_power_high_watts < mean_power_watts",
    ),
    critical(
        "power_is_energy_times_throughput",
        "power of a load is not its energy per token times its tokens per second",
        "mean_power_watts / nullif(energy_per_output_joules * throughput_per_second, 0) - 1",
        within=Tolerance(
            -0.05, 0.05, "relative", "equal for one run; means of repeats differ by their scatter"
        ),
    ),
    critical(
        "sustained_load_is_served",
        "a load that is said to be sustained was served far below what was offered",
        "case when is_sustained and offered_requests_per_second * runs > 1"
        " then completed_requests_per_second / offered_requests_per_second end",
        within=Tolerance(
            0.7,
            None,
            "of the offered",
            "2 % may stay; short windows with few requests scatter by some requests",
        ),
    ),
    critical(
        "goodput_is_part_of_offered",
        "goodput is negative or above what was offered",
        "goodput_requests_per_second < 0"
        " or goodput_requests_per_second > 1.05 * offered_requests_per_second + 0.1",
    ),
    critical(
        "objective_needs_a_sustained_load",
        "a load that the server does not keep up with is said to meet an objective",
        "meets_objective and not is_sustained",
    ),
    critical(
        "load_percentiles_in_order",
        "a lower latency percentile of a load exceeds a higher one",
        "ttft_p50_ms > ttft_p90_ms or ttft_p90_ms > ttft_p95_ms or ttft_p95_ms > ttft_p99_ms"
        " or itl_p50_ms > itl_p90_ms or itl_p90_ms > itl_p95_ms or itl_p95_ms > itl_p99_ms",
    ),
    critical(
        "idle_share_is_a_share",
        "the idle share of a load is not between 0 and 1",
        "idle_share",
        within=Tolerance(0, 1, "", "contract of the table"),
    ),
)
