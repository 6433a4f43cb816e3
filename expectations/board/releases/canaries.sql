-- The canaries of every release, each against an earlier one.
select
    leaderboard_id,
    data_source,
    kind,
    nickname,
    model_id,
    task,
    gpu_model,
    num_gpus,
    batch_size,
    runtime,
    runtime_version,
    old_runtime_version,
    servers,
    old_servers,
    energy_change,
    energy_change_low,
    energy_change_high,
    margin,
    verdict
from marts.release_canaries
where data_source = 'jouleboard'
order by runtime, runtime_version, gpu_model, kind, model_id, batch_size, old_runtime_version
