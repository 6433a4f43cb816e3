select distinct
    runtime,
    gpu_model,
    canaries_unchanged_until
from leaderboard
where data_source = 'jouleboard' and canaries_unchanged_until is not null
