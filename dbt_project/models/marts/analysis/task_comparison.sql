with configurations as (

    select * from {{ ref('int_configurations_current') }}

),

minima as (

    select * from {{ ref('int_minimum_energy') }}

),

task_pairs as (

    select * from {{ ref('int_task_pairs') }}

),

model_pairs as (

    select
        model_id,
        reference_model_id
    from {{ ref('model_pairs') }}
    where relation in ('reasoning-to-chat', 'multimodal-to-text')
    union
    select distinct
        model_id,
        model_id as reference_model_id
    from configurations

),

-- One row per task and model for each basis; 0 where the basis does not fix the value.
sides as (

    select
        'min-energy' as basis,
        num_gpus as fixed_num_gpus,
        0 as fixed_batch_size,
        *
    from minima
    where scope = 'gpu-count'

    union all by name

    select
        'min-energy-all-gpu-counts' as basis,
        0 as fixed_num_gpus,
        0 as fixed_batch_size,
        *
    from minima
    where scope = 'all-gpu-counts'

    union all by name

    select
        'max-batch' as basis,
        num_gpus as fixed_num_gpus,
        0 as fixed_batch_size,
        *
    from configurations
    qualify
        row_number() over (
            partition by comparability_id, task, model_id, weight_precision, gpu_model, num_gpus
            order by batch_size desc, energy_per_output_joules asc nulls last, leaderboard_id asc
        ) = 1

    union all by name

    select
        'same-batch' as basis,
        num_gpus as fixed_num_gpus,
        batch_size as fixed_batch_size,
        *
    from configurations
    qualify row_number() over (
        partition by comparability_id, task, model_id, weight_precision, gpu_model, num_gpus, batch_size
        order by energy_per_output_joules nulls last, leaderboard_id
    ) = 1

)

select
    {{ hash_of(['one.basis', 'one.leaderboard_id', 'reference.leaderboard_id']) }} as comparison_id,
    one.data_source,
    one.basis,
    one.task,
    reference.task as reference_task,
    one.model_id,
    reference.model_id as reference_model_id,
    one.nickname,
    reference.nickname as reference_nickname,
    one.weight_precision,
    one.gpu_model,
    one.num_gpus,
    reference.num_gpus as reference_num_gpus,
    one.runtime,
    one.runtime_version,
    one.request_set_id,
    reference.request_set_id as reference_request_set_id,
    one.length_control,
    one.power_limit_watts,
    one.weights,
    one.energy_boundary,
    one.model_revision,
    reference.model_revision as reference_model_revision,
    one.batch_size,
    reference.batch_size as reference_batch_size,
    one.output_tokens_per_response,
    reference.output_tokens_per_response as reference_output_tokens_per_response,
    one.energy_per_output_joules as energy_per_token_joules,
    reference.energy_per_output_joules as reference_energy_per_token_joules,
    one.energy_per_response_joules,
    reference.energy_per_response_joules as reference_energy_per_response_joules,
    one.output_tokens_per_response / nullif(reference.output_tokens_per_response, 0) as output_tokens_ratio,
    one.energy_per_output_joules / nullif(reference.energy_per_output_joules, 0) as energy_per_token_ratio,
    one.energy_per_response_joules / nullif(reference.energy_per_response_joules, 0)
        as energy_per_response_ratio
from sides as one
inner join task_pairs on one.task = task_pairs.task
inner join model_pairs on one.model_id = model_pairs.model_id
inner join sides as reference
    on
        task_pairs.reference_task = reference.task
        and model_pairs.reference_model_id = reference.model_id
        and one.basis = reference.basis
        and one.comparability_any_requests_id = reference.comparability_any_requests_id
        and one.weight_precision = reference.weight_precision
        and one.gpu_model = reference.gpu_model
        and one.fixed_num_gpus = reference.fixed_num_gpus
        and one.fixed_batch_size = reference.fixed_batch_size
        and {{ same_weights('one', 'reference') }}
order by
    one.data_source,
    one.basis,
    one.task,
    one.model_id,
    one.gpu_model,
    one.num_gpus,
    one.batch_size,
    comparison_id
