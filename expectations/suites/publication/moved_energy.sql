select
    {{ row_label }} as label,
    candidate_rows.joules / nullif(energy_per_output_joules, 0) - 1 as energy_moved_within_band,
    energy_per_output_joules is not null and candidate_rows.joules is null as energy_not_lost,
    coalesce(
        format(
            '{:.4g} -> {:.4g} J/{}, {:+.0f} %; the band is {{ band }}',
            energy_per_output_joules,
            candidate_rows.joules,
            output_unit,
            100 * (candidate_rows.joules / energy_per_output_joules - 1)
        ),
        format('was {:.4g} J/{}', energy_per_output_joules, output_unit)
    ) as figures
from last_leaderboard
inner join (
    select
        leaderboard_id,
        energy_per_output_joules as joules
    from candidate.marts.leaderboard
) as candidate_rows using (leaderboard_id)
