-- The rows with the lowest energy per output, per number of GPUs and over all of them.
with configurations as (

    select * from {{ ref('int_configurations_current') }} where energy_per_output_joules is not null

),

per_gpu_count as (

    select
        'gpu-count' as scope,
        *,
        count(*) over same as configurations_compared,
        max(batch_size) over same as largest_batch_size
    from configurations
    window same as (
        partition by comparability_id, task, model_id, weight_precision, workload_id, gpu_model, num_gpus
    )
    qualify row_number() over (
        partition by comparability_id, task, model_id, weight_precision, workload_id, gpu_model, num_gpus
        order by energy_per_output_joules, batch_size, leaderboard_id
    ) = 1

),

all_gpu_counts as (

    select
        'all-gpu-counts' as scope,
        *,
        count(*) over same as configurations_compared,
        max(batch_size) over same as largest_batch_size
    from configurations
    window same as (partition by comparability_id, task, model_id, weight_precision, workload_id, gpu_model)
    qualify row_number() over (
        partition by comparability_id, task, model_id, weight_precision, workload_id, gpu_model
        order by energy_per_output_joules, batch_size, leaderboard_id
    ) = 1

)

select * from per_gpu_count
union all by name
select * from all_gpu_counts
