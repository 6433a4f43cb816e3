-- Every row of the sample leaderboard as a minimum.
select
    *,
    leaderboard_id as min_energy_id,
    'gpus' as scope
from marts.leaderboard
