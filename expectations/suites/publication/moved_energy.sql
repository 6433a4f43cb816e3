with candidate_rows as (
    select
        leaderboard_id,
        energy_per_output_joules as candidate_joules
    from candidate.marts.leaderboard
),

compared as (
    select
        last_leaderboard.*,
        candidate_rows.candidate_joules
    from last_leaderboard
    inner join candidate_rows using (leaderboard_id)
)

select
    {{ row_name }} as row_name,
    candidate_joules / nullif(energy_per_output_joules, 0) - 1 as energy_moved_within_band,
    energy_per_output_joules is not null and candidate_joules is null as energy_not_lost,
    coalesce(
        format(
            '{:.4g} -> {:.4g} J/{}, {:+.0f} %; the band is {{ band }}',
            energy_per_output_joules,
            candidate_joules,
            output_unit,
            100 * (candidate_joules / energy_per_output_joules - 1)
        ),
        format('was {:.4g} J/{}', energy_per_output_joules, output_unit)
    ) as figures
from compared
