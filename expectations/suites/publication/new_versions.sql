with last_rows as (
    select
        row({{ keys | join(', ') }}, {{ how_started('runtime_version') }}) as all_but_version,
        runtime_version as last_version,
        energy_per_output_joules as last_joules,
        try_cast(regexp_extract_all(split_part(runtime_version, '+', 1), '[0-9]+') as bigint[])
            as version_numbers
    from last_leaderboard
    where energy_per_output_joules is not null
),

newest_rows as (
    select *
    from last_rows
    qualify
        row_number() over (
            partition by all_but_version
            order by version_numbers desc nulls last, last_version desc
        ) = 1
),

new_rows as (
    select
        *,
        row({{ keys | join(', ') }}, {{ how_started('runtime_version') }}) as all_but_version
    from candidate.marts.leaderboard
    where leaderboard_id not in (select last_leaderboard.leaderboard_id from last_leaderboard)
),

successors as (
    select
        new_rows.*,
        newest_rows.last_version,
        newest_rows.last_joules
    from new_rows
    inner join newest_rows on new_rows.all_but_version is not distinct from newest_rows.all_but_version
)

select
    concat({{ row_name }}, ' (after ', last_version, ')') as row_name,
    energy_per_output_joules / nullif(last_joules, 0) - 1 as version_changes_within_band,
    format(
        '{:.4g} -> {:.4g} J/{}, {:+.0f} %; the band is {{ band }}',
        last_joules,
        energy_per_output_joules,
        output_unit,
        100 * (energy_per_output_joules / last_joules - 1)
    ) as figures
from successors
