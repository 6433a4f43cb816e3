-- Rows of the leaderboard that runs of this installation measured.
select
    configuration_id,
    runtime_version,
    weights,
    nickname,
    task,
    num_gpus,
    gpu_model,
    batch_size,
    output_unit,
    repeats,
    energy_per_output_joules,
    throughput_per_second,
    median_itl_ms,
    batch_latency_seconds
from leaderboard
where data_source = 'jouleboard'
order by leaderboard_id
