-- Power over time of the run that stands for each row: the latest that counts for energy.
select
    power_over_time.leaderboard_id,
    list(power_over_time.start_seconds order by power_over_time.start_seconds) as interval_starts,
    list(power_over_time.end_seconds order by power_over_time.start_seconds) as interval_ends,
    list(power_over_time.mean_power_watts order by power_over_time.start_seconds) as watts,
    min(power_over_time.start_seconds) filter (power_over_time.is_in_steady_window) as window_start,
    max(power_over_time.end_seconds) filter (power_over_time.is_in_steady_window) as window_end
from marts.power_over_time
inner join marts.row_evidence
    on
        power_over_time.leaderboard_id = row_evidence.leaderboard_id
        and power_over_time.run_id = row_evidence.pictured_run_id
group by power_over_time.leaderboard_id
