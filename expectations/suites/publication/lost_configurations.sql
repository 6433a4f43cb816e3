select
    {{ row_label }} as label,
    candidate_rows.leaderboard_id is null as no_configuration_lost,
    coalesce(
        format('was {:.4g} J/{}', energy_per_output_joules, output_unit), 'had no energy figure'
    ) as figures
from last_leaderboard
left join (
    select leaderboard_id
    from candidate.marts.leaderboard
) as candidate_rows using (leaderboard_id)
