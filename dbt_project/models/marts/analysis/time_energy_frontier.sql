{% set model_work = ['comparability_id', 'task', 'model_id', 'weight_precision', 'workload_id'] -%}

with configurations as (

    select
        *,
        {{ hash_of(model_work, known=['model_revision']) }} as model_frontier_id,
        {{ hash_of(model_work + ['gpu_model']) }} as gpu_frontier_id,
        {{ hash_of(['comparability_id', 'task']) }} as task_frontier_id
    from {{ ref('int_configurations_current') }}
    where energy_per_output_joules is not null and latency_seconds is not null

),

by_model as (

    {{ best_by_latency('configurations', 'model_frontier_id') }}

),

by_gpu as (

    {{ best_by_latency('configurations', 'gpu_frontier_id') }}

),

by_task as (

    {{ best_by_latency('configurations', 'task_frontier_id') }}

),

flagged as (

    select
        configurations.*,
        {{ is_undominated('by_model') }} as is_on_frontier,
        {{ is_undominated('by_gpu') }} as is_on_gpu_frontier,
        {{ is_undominated('by_task') }} as is_on_task_frontier,
        case
            when is_on_frontier then null
            when by_model.faster_joules <= configurations.energy_per_output_joules then by_model.faster_id
            else by_model.best_id
        end as dominating_id
    from configurations
    inner join by_model using (model_frontier_id, latency_seconds)
    inner join by_gpu using (gpu_frontier_id, latency_seconds)
    inner join by_task using (task_frontier_id, latency_seconds)

)

select
    flagged.leaderboard_id,
    flagged.model_frontier_id as frontier_id,
    flagged.data_source,
    flagged.architecture,
    flagged.nickname,
    {{ identity_columns('flagged') }},
    flagged.output_unit,
    flagged.median_itl_ms,
    flagged.batch_latency_seconds,
    flagged.latency_seconds,
    flagged.energy_per_output_joules,
    flagged.is_on_frontier,
    flagged.is_on_gpu_frontier,
    flagged.is_on_task_frontier,
    dominating.leaderboard_id as dominated_by_leaderboard_id,
    dominating.gpu_model as dominated_by_gpu_model,
    dominating.num_gpus as dominated_by_num_gpus,
    dominating.batch_size as dominated_by_batch_size,
    dominating.latency_seconds as dominated_by_latency_seconds,
    dominating.energy_per_output_joules as dominated_by_energy_per_output_joules
from flagged
left join configurations as dominating
    on flagged.dominating_id = dominating.leaderboard_id
order by
    flagged.data_source,
    flagged.task,
    flagged.model_id,
    flagged.model_frontier_id,
    flagged.latency_seconds,
    flagged.leaderboard_id
