with configurations as (

    select
        *,
        list(batch_size) over (
            partition by comparability_id, task, model_id, weight_precision, workload_id, gpu_model
        ) as batch_sizes
    from {{ ref('int_configurations_current') }}
    where energy_per_output_joules is not null

),

ceilings as (

    select * from {{ ref('int_latency_ceilings') }}

),

generations as (

    select * from {{ ref('gpu_generations') }}

),

-- The lowest energy on each GPU model, over all numbers of GPUs, batch sizes and parallelisms.
under_ceiling as (

    select
        configurations.*,
        ceilings.median_itl_ceiling_ms,
        ceilings.batch_latency_ceiling_seconds,
        ceilings.ceiling_seconds
    from configurations
    inner join ceilings
        on
            configurations.task = ceilings.task
            and (
                configurations.median_itl_ms <= ceilings.median_itl_ceiling_ms
                or configurations.batch_latency_seconds <= ceilings.batch_latency_ceiling_seconds
            )
    qualify row_number() over (
        partition by
            configurations.comparability_id,
            configurations.task,
            configurations.model_id,
            configurations.weight_precision,
            configurations.workload_id,
            configurations.gpu_model,
            ceilings.median_itl_ceiling_ms,
            ceilings.batch_latency_ceiling_seconds
        order by
            configurations.energy_per_output_joules,
            configurations.batch_size,
            configurations.leaderboard_id
    ) = 1

)

select
    {{ hash_of(['newer.leaderboard_id', 'older.leaderboard_id', 'newer.ceiling_seconds']) }} as comparison_id,
    newer.data_source,
    newer.architecture,
    newer.task,
    newer.model_id,
    newer.nickname,
    newer.weight_precision,
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
    newer.median_itl_ceiling_ms,
    newer.batch_latency_ceiling_seconds,
    newer.gpu_model as new_gpu_model,
    older.gpu_model as old_gpu_model,
    newer.power_limit_watts as new_power_limit_watts,
    older.power_limit_watts as old_power_limit_watts,
    newer.num_gpus as new_num_gpus,
    older.num_gpus as old_num_gpus,
    newer.batch_size as new_batch_size,
    older.batch_size as old_batch_size,
    newer.median_itl_ms as new_median_itl_ms,
    older.median_itl_ms as old_median_itl_ms,
    newer.batch_latency_seconds as new_batch_latency_seconds,
    older.batch_latency_seconds as old_batch_latency_seconds,
    newer.output_unit,
    newer.energy_per_output_joules as new_energy_per_output_joules,
    older.energy_per_output_joules as old_energy_per_output_joules,
    1 - newer.energy_per_output_joules / nullif(older.energy_per_output_joules, 0) as energy_reduction,
    case
        when newer.energy_per_output_joules < older.energy_per_output_joules then newer.gpu_model
        when newer.energy_per_output_joules > older.energy_per_output_joules then older.gpu_model
        else 'tie'
    end as winner,
    list_contains(newer.batch_sizes, older.batch_size) as old_batch_size_measured_on_new,
    list_contains(older.batch_sizes, newer.batch_size) as new_batch_size_measured_on_old
from under_ceiling as newer
inner join generations on newer.gpu_model = generations.new_gpu_model
inner join under_ceiling as older
    on
        generations.old_gpu_model = older.gpu_model
        and {{ same_but_gpu_model('newer', 'older') }}
        and newer.ceiling_seconds = older.ceiling_seconds
order by
    newer.data_source,
    newer.task,
    newer.model_id,
    newer.ceiling_seconds,
    new_gpu_model,
    old_gpu_model,
    comparison_id
