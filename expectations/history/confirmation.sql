-- Changes of energy that reruns have not told yet, the largest first.
select
    previous_runtime_version,
    energy_change,
    {{ keys | join(', ') }}
from marts.release_history
where
    data_source = 'jouleboard'
    and is_candidate
    and confirmation = 'not rerun'
order by
    abs(energy_change) desc,
    leaderboard_id asc
