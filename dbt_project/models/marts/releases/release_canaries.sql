select
    leaderboard_id,
    old_leaderboard_id,
    data_source,
    kind,
    nickname,
    {{ identity_columns('int_canary_changes') }},
    old_runtime_version,
    cast(servers as integer) as servers,
    cast(old_servers as integer) as old_servers,
    energy_change,
    energy_change_low,
    energy_change_high,
    margin,
    verdict
from {{ ref('int_canary_changes') }}
order by data_source, runtime, kind, gpu_model, model_id, batch_size, leaderboard_id, old_leaderboard_id
