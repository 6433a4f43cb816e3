-- What the interval of each row of this project leaves out.
select
    leaderboard_id,
    source,
    levels,
    verdict,
    relative_size,
    relative_size_low,
    relative_size_high,
    degrees_of_freedom
from marts.uncertainty_budget
order by leaderboard_id, source_position
