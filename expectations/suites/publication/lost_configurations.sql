with paired as (
    select
        last_leaderboard.*,
        candidate_rows.leaderboard_id as candidate_id
    from last_leaderboard
    left join candidate.marts.leaderboard as candidate_rows
        on last_leaderboard.leaderboard_id = candidate_rows.leaderboard_id
)

select
    {{ row_label }} as label,
    candidate_id is null as no_configuration_lost,
    coalesce(
        format('was {:.4g} J/{}', energy_per_output_joules, output_unit), 'had no energy figure'
    ) as figures
from paired
