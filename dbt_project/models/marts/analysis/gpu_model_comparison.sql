with configurations as (

    select * from {{ ref('int_configurations_current') }}

),

generations as (

    select * from {{ ref('gpu_generations') }}

)

select
    {{ hash_of(['newer.leaderboard_id', 'older.leaderboard_id']) }} as comparison_id,
    newer.data_source,
    newer.architecture,
    newer.task,
    newer.model_id,
    newer.nickname,
    newer.weight_precision,
    newer.num_gpus,
    newer.tensor_parallel,
    newer.expert_parallel,
    newer.data_parallel,
    newer.ulysses_degree,
    newer.ring_degree,
    newer.batch_size,
    newer.inference_steps,
    newer.height,
    newer.width,
    newer.num_frames,
    newer.runtime,
    newer.runtime_version,
    newer.request_set_id,
    newer.length_control,
    newer.weights,
    newer.energy_boundary,
    newer.model_revision,
    newer.gpu_model as new_gpu_model,
    older.gpu_model as old_gpu_model,
    newer.power_limit_watts as new_power_limit_watts,
    older.power_limit_watts as old_power_limit_watts,
    cast(newer.energy_repeats as integer) as new_energy_repeats,
    cast(older.energy_repeats as integer) as old_energy_repeats,
    newer.output_unit,
    newer.energy_per_output_joules as new_energy_per_output_joules,
    older.energy_per_output_joules as old_energy_per_output_joules,
    newer.energy_per_response_joules as new_energy_per_response_joules,
    older.energy_per_response_joules as old_energy_per_response_joules,
    newer.throughput_per_second as new_throughput_per_second,
    older.throughput_per_second as old_throughput_per_second,
    newer.mean_power_watts as new_mean_power_watts,
    older.mean_power_watts as old_mean_power_watts,
    newer.median_itl_ms as new_median_itl_ms,
    older.median_itl_ms as old_median_itl_ms,
    newer.batch_latency_seconds as new_batch_latency_seconds,
    older.batch_latency_seconds as old_batch_latency_seconds,
    1 - newer.energy_per_output_joules / nullif(older.energy_per_output_joules, 0) as energy_reduction,
    1 - newer.latency_seconds / nullif(older.latency_seconds, 0) as latency_reduction,
    newer.throughput_per_second / nullif(older.throughput_per_second, 0) - 1 as throughput_change
from configurations as newer
inner join generations on newer.gpu_model = generations.new_gpu_model
inner join configurations as older
    on
        generations.old_gpu_model = older.gpu_model
        and {{ same_but_gpu_model('newer', 'older') }}
        and newer.num_gpus = older.num_gpus
        and newer.parallelism_id = older.parallelism_id
        and newer.batch_size = older.batch_size
order by
    newer.data_source,
    newer.task,
    newer.model_id,
    newer.num_gpus,
    newer.batch_size,
    new_gpu_model,
    old_gpu_model,
    comparison_id
