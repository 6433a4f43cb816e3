"""Checks of `leaderboard`, measured and imported rows alike."""

from __future__ import annotations

from benchmark_tasks.vocabulary import OutputUnit
from expectations.sql import ROW_NAME
from expectations.suites.checks import Severity, Tolerance
from expectations.suites.mart_check import MartCheck, critical, warning
from expectations.suites.run.energy import JOULES_PER_ITEM, JOULES_PER_TOKEN
from expectations.suites.run.power import MEAN_POWER_OF_TDP
from expectations.suites.run.windows import BATCH_SATURATION, THROUGHPUT_TIMES_MEDIAN_ITL

TABLE = "candidate.marts.leaderboard"
ROW_NAME_SQL = ROW_NAME
EQUAL_UP_TO_ROUNDING = Tolerance(-1e-6, 1e-6, "relative", "derived from one another: equal up to rounding")

CHECKS = (
    MartCheck(
        "some_rows",
        Severity.CRITICAL,
        "the leaderboard is empty: measure or import",
        rows=Tolerance(1, None, "rows", "an empty leaderboard is never published"),
    ),
    MartCheck(
        "key_is_unique", Severity.CRITICAL, "a configuration appears twice", unique=("leaderboard_id",)
    ),
    *(
        MartCheck(f"has_{name}", Severity.CRITICAL, f"a row has no {name}", column=name, not_null=True)
        for name in ("leaderboard_id", "data_source", "configuration_id", "task", "model_id", "gpu_model")
    ),
    MartCheck(
        "unit_is_known",
        Severity.CRITICAL,
        "the output unit is not known",
        column="output_unit",
        one_of=tuple(unit.value for unit in OutputUnit),
    ),
    critical(
        "no_energy_without_counter",
        "a row has energy but no energy counter: an estimate",
        "energy_per_output_joules is not null and energy_source = 'none'",
    ),
    critical(
        "no_rank_without_energy",
        "a row has a rank by energy but no energy",
        "energy_rank is not null and energy_per_output_joules is null",
    ),
    critical(
        "rank_has_repeats",
        "a row has a rank but too few repeats",
        "case when energy_rank is not null then energy_repeats end",
        within=Tolerance(3, None, "repeats", "methodology: at least 3 repeats for a rank"),
    ),
    critical(
        "energy_is_positive",
        "energy is zero or negative",
        "case when energy_per_output_joules <= 0 then 1 else 0 end",
    ),
    critical(
        "energy_per_token_plausible",
        f"energy per token is implausible: outside {JOULES_PER_TOKEN}",
        "case when output_unit = 'token' then energy_per_output_joules end",
        within=JOULES_PER_TOKEN,
    ),
    critical(
        "energy_per_item_plausible",
        f"energy per image or video is implausible: outside {JOULES_PER_ITEM}",
        "case when output_unit <> 'token' then energy_per_output_joules end",
        within=JOULES_PER_ITEM,
    ),
    critical(
        "throughput_is_positive",
        "throughput is missing, zero or negative",
        "case when throughput_per_second is null or throughput_per_second <= 0 then 1 else 0 end",
    ),
    critical(
        "interval_holds_mean",
        "the mean is outside its own interval",
        "energy_per_output_low_joules > energy_per_output_joules"
        " or energy_per_output_high_joules < energy_per_output_joules",
    ),
    critical(
        "interval_is_not_negative",
        "an interval of energy begins below 0",
        "energy_per_output_low_joules < 0",
    ),
    critical(
        "power_within_tdp",
        "mean power is above what the GPU can draw",
        "mean_power_per_gpu_watts / tdp_watts",
        within=MEAN_POWER_OF_TDP,
    ),
    critical(
        "batch_saturated",
        "the running requests do not match the batch size",
        "case when energy_per_output_joules is not null then mean_running_requests / batch_size end",
        within=BATCH_SATURATION,
    ),
    critical(
        "latency_quantiles_in_order",
        "a lower latency quantile exceeds a higher one",
        "median_itl_ms > p90_itl_ms or p90_itl_ms > p95_itl_ms or p95_itl_ms > p99_itl_ms",
    ),
    critical(
        "response_is_tokens_times_energy",
        "energy per response is not tokens x energy per token",
        """
        case when data_source = 'mlenergy-v3' then
            energy_per_response_joules
            / nullif(energy_per_output_joules * coalesce(output_tokens_per_response, 1), 0) - 1
        end
        """,
        within=EQUAL_UP_TO_ROUNDING,
    ),
    warning(
        "throughput_fits_latency",
        "throughput is high for the median latency",
        "throughput_per_second * median_itl_ms / 1000 / nullif(mean_running_requests, 0)",
        within=THROUGHPUT_TIMES_MEDIAN_ITL,
    ),
    warning(
        "throughput_fits_p99_latency",
        "throughput is low for the p99 latency",
        "throughput_per_second * p99_itl_ms / 1000 / nullif(mean_running_requests, 0)",
        within=Tolerance(
            0.9,
            None,
            "x running requests",
            "holds with 1.0 in all 838 published rows; 10 % for short runs",
        ),
    ),
)
