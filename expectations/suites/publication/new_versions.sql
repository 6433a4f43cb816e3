with newest_published as (
    select
        {{ keys | join(', ') }},
        runtime_version as last_version,
        energy_per_output_joules as last_joules
    from last_leaderboard
    where energy_per_output_joules is not null
    qualify row_number() over (
        partition by {{ keys | join(', ') }}
        order by
            try_cast(regexp_extract_all(runtime_version, '[0-9]+') as bigint[]) desc nulls last,
            runtime_version desc
    ) = 1
),

successors as (
    select
        candidate_rows.*,
        newest_published.last_version,
        newest_published.last_joules
    from candidate.marts.leaderboard as candidate_rows
    inner join newest_published
        on
            {% for key in keys %}
                {{ "and " if not loop.first -}}
                candidate_rows.{{ key }} is not distinct from newest_published.{{ key }}
            {% endfor %}
    where candidate_rows.leaderboard_id not in (
        select published.leaderboard_id from last.marts.leaderboard as published
    )
)

select
    concat({{ row_label }}, ' (after ', last_version, ')') as label,
    energy_per_output_joules / nullif(last_joules, 0) - 1 as version_changes_within_band,
    format(
        '{:.4g} -> {:.4g} J/{}, {:+.0f} %; the band is {{ band }}',
        last_joules,
        energy_per_output_joules,
        output_unit,
        100 * (energy_per_output_joules / last_joules - 1)
    ) as figures
from successors
