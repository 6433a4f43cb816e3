"""Checks of `variance_components`: no size without a measurement, none outside its own interval."""

from __future__ import annotations

from expectations.suites.checks import Severity, Tolerance
from expectations.suites.mart_check import MartCheck, critical

TABLE = """
candidate.marts.variance_components as components
left join (
    select
        data_source,
        gpu_model,
        architecture,
        source as included_in,
        relative_size as holder_size
    from candidate.marts.variance_components
) using (data_source, gpu_model, architecture, included_in)
"""
ROW_NAME_SQL = "concat_ws(' | ', data_source, gpu_model, architecture, source)"

CHECKS = (
    MartCheck(
        "key_is_unique", Severity.CRITICAL, "a source of variance appears twice", unique=("component_id",)
    ),
    critical(
        "size_was_measured",
        "a source of variance has a size without degrees of freedom, or these without a size",
        "coalesce((relative_size is null) <> (degrees_of_freedom = 0) or degrees_of_freedom < 0"
        " or degrees_of_freedom > compared * 39, true)",
    ),
    critical(
        "size_is_within_its_interval",
        "the size of a source of variance is negative, outside its own interval, or has none",
        "relative_size is not null and coalesce(relative_size_low < 0 or relative_size_low > relative_size"
        " or relative_size_high < relative_size, true)",
    ),
    critical(
        "size_is_plausible",
        "a source of variance is larger than half of the figure: unlike runs are in one row",
        "relative_size",
        within=Tolerance(0, 0.5, "", "the largest measured so far is 5 %, between two H100s"),
    ),
    critical(
        "size_stands_in_one_place",
        "a source of variance is said to be in that of another which has no size, or has one itself",
        "included_in is not null and (relative_size is not null or holder_size is null)",
    ),
)
