-- One canary for each good leaderboard row of the later release, unchanged against the earlier one.
select
    leaderboard_id,
    concat('id-', cast(substr(leaderboard_id, 4) as integer) - 1) as old_leaderboard_id,
    data_source,
    model_id,
    task,
    gpu_model,
    num_gpus,
    batch_size,
    model_revision,
    runtime,
    runtime_version,
    '0.1' as old_runtime_version,
    2 as servers,
    2 as old_servers,
    0.001 as energy_change,
    -0.007 as energy_change_low,
    0.009 as energy_change_high,
    0.02 as margin,
    'unchanged' as verdict
from marts.leaderboard
where runtime_version = '0.2'
