with paired as (
    select
        last_leaderboard.*,
        candidate_rows.energy_per_output_joules as candidate_joules
    from last_leaderboard
    inner join candidate.marts.leaderboard as candidate_rows
        on last_leaderboard.leaderboard_id = candidate_rows.leaderboard_id
)

select
    {{ row_label }} as label,
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
from paired
