-- A leaderboard of good rows, as many as the variable `rows` says.
with numbers as (
    select unnest(range(getvariable('rows'))) as row_number
)

select
    concat('id-', row_number) as leaderboard_id,
    'jouleboard' as data_source,
    concat('c-', row_number) as configuration_id,
    'gpqa' as task,
    'some/model' as model_id,
    'H200' as gpu_model,
    1 as num_gpus,
    32 as batch_size,
    'vllm' as runtime,
    concat('0.', 1 + row_number % 2) as runtime_version,
    cast(null as varchar) as canaries_unchanged_until,
    cast(null as varchar) as model_revision,
    'token' as output_unit,
    'nvml-counter' as energy_source,
    3 as energy_repeats,
    row_number as energy_rank,
    cast(0.1 as double) as energy_per_output_joules,
    cast(0.09 as double) as energy_per_output_low_joules,
    cast(0.11 as double) as energy_per_output_high_joules,
    cast(50.0 as double) as energy_per_response_joules,
    cast(500.0 as double) as output_tokens_per_response,
    cast(4000.0 as double) as throughput_per_second,
    cast(400.0 as double) as mean_power_per_gpu_watts,
    cast(700.0 as double) as tdp_watts,
    cast(31.9 as double) as mean_running_requests,
    cast(8.0 as double) as median_itl_ms,
    cast(9.0 as double) as p90_itl_ms,
    cast(10.0 as double) as p95_itl_ms,
    cast(15.0 as double) as p99_itl_ms
from numbers
