with configurations as (

    select * from {{ ref('int_configurations_current') }}
    where num_gpus > 0

),

-- If a batch size was measured in several parallelisms, the one with the lowest energy is used.
one_parallelism as (

    select
        *,
        min(latency_seconds) over same as fastest_latency_seconds
    from configurations
    window
        same as (
            partition by
                comparability_id,
                task,
                model_id,
                weight_precision,
                workload_id,
                gpu_model,
                num_gpus,
                batch_size
        )
    qualify row_number() over (
        same
        order by energy_per_output_joules nulls last, latency_seconds, leaderboard_id
    ) = 1

)

select
    {{ hash_of(['fewer.leaderboard_id', 'more.leaderboard_id']) }} as comparison_id,
    fewer.data_source,
    fewer.architecture,
    fewer.task,
    fewer.model_id,
    fewer.nickname,
    fewer.weight_precision,
    fewer.gpu_model,
    fewer.inference_steps,
    fewer.height,
    fewer.width,
    fewer.num_frames,
    fewer.runtime,
    fewer.runtime_version,
    fewer.request_set_id,
    fewer.length_control,
    fewer.power_limit_watts,
    fewer.weights,
    fewer.energy_boundary,
    fewer.model_revision,
    fewer.batch_size,
    fewer.num_gpus as fewer_gpus,
    more.num_gpus as more_gpus,
    fewer.output_unit,
    fewer.energy_per_output_joules as fewer_energy_per_output_joules,
    more.energy_per_output_joules as more_energy_per_output_joules,
    fewer.median_itl_ms as fewer_median_itl_ms,
    more.median_itl_ms as more_median_itl_ms,
    fewer.batch_latency_seconds as fewer_batch_latency_seconds,
    more.batch_latency_seconds as more_batch_latency_seconds,
    more.energy_per_output_joules / nullif(fewer.energy_per_output_joules, 0) - 1 as energy_change,
    more.latency_seconds / nullif(fewer.latency_seconds, 0) - 1 as latency_change,
    more.fastest_latency_seconds / nullif(fewer.fastest_latency_seconds, 0) - 1 as fastest_latency_change,
    more.energy_per_output_joules > fewer.energy_per_output_joules as energy_increases,
    more.latency_seconds < fewer.latency_seconds as latency_decreases
from one_parallelism as fewer
inner join one_parallelism as more
    on
        fewer.comparability_id = more.comparability_id
        and fewer.task = more.task
        and fewer.model_id = more.model_id
        and fewer.weight_precision = more.weight_precision
        and fewer.workload_id = more.workload_id
        and fewer.gpu_model = more.gpu_model
        and fewer.batch_size = more.batch_size
        and fewer.num_gpus < more.num_gpus
order by
    fewer.data_source,
    fewer.task,
    fewer.model_id,
    fewer.gpu_model,
    fewer.batch_size,
    fewer_gpus,
    more_gpus,
    comparison_id
