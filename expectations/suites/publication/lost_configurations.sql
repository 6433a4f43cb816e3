select
    {{ row_name }} as row_name,
    leaderboard_id not in (
        select candidate_rows.leaderboard_id
        from candidate.marts.leaderboard as candidate_rows
    ) as no_configuration_lost,
    coalesce(
        format('was {:.4g} J/{}', energy_per_output_joules, output_unit), 'had no energy figure'
    ) as figures
from last_leaderboard
