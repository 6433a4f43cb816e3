-- Every model and configuration that has a row.
select distinct
    model_id,
    configuration_id
from leaderboard
