select model_id
from marts.leaderboard
group by model_id
order by min(lower(nickname)), model_id
