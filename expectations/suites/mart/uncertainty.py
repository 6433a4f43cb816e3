"""Checks of `uncertainty_budget`, and of what `leaderboard` says of it."""

from __future__ import annotations

from expectations.suites.checks import Severity
from expectations.suites.mart_check import MartCheck, critical

TABLE = """
candidate.marts.uncertainty_budget as budget
left join (
    select
        leaderboard_id,
        gpu_model,
        architecture,
        model_id,
        energy_per_output_joules,
        interval_covers,
        interval_leaves_out,
        interval_not_measured,
        left_out_relative_size,
        true as is_there
    from candidate.marts.leaderboard
) using (leaderboard_id)
left join (
    select
        data_source,
        gpu_model,
        architecture,
        source,
        relative_size as component_size
    from candidate.marts.variance_components
) using (data_source, gpu_model, architecture, source)
left join (
    select
        leaderboard_id,
        sqrt(sum(relative_size * relative_size) filter (verdict = 'left out')) as summed_size
    from candidate.marts.uncertainty_budget
    group by leaderboard_id
) using (leaderboard_id)
"""
ROW_NAME_SQL = "concat_ws(' | ', data_source, model_id, gpu_model, source, left(leaderboard_id, 8))"

CHECKS = (
    MartCheck("key_is_unique", Severity.CRITICAL, "a row's budget has a source twice", unique=("budget_id",)),
    critical(
        "budget_has_its_row",
        "an uncertainty budget is of no row with energy on the leaderboard",
        "is_there is null or energy_per_output_joules is null",
    ),
    critical(
        "covered_by_two_levels",
        "an interval is said to cover a source of which it has one level, or not to cover one of two",
        "source <> 'window' and is_covered is distinct from coalesce(levels >= 2, false)",
    ),
    critical(
        "verdict_follows_from_size",
        "a source is left out without a size, not measured with one, or covered though it is not",
        "coalesce(case verdict when 'covered' then not is_covered"
        " when 'left out' then is_covered or relative_size is null"
        " else is_covered or relative_size is not null end, true)",
    ),
    critical(
        "size_is_that_of_the_component",
        "the size of a source in a row's budget is not that of variance_components",
        "relative_size is distinct from component_size",
    ),
    critical(
        "leaderboard_says_its_budget",
        "a row of the leaderboard says something else of its interval than its budget",
        "not list_contains(string_split(coalesce(case verdict when 'covered' then interval_covers"
        " when 'left out' then interval_leaves_out when 'not measured' then interval_not_measured"
        " else source end, ''), ', '), source)",
    ),
    critical(
        "left_out_is_the_sum_of_its_sources",
        "what an interval leaves out is not the root of the sum of squares of its sources",
        "coalesce(abs(left_out_relative_size - summed_size) > 1e-12,"
        " left_out_relative_size is distinct from summed_size)",
    ),
)
