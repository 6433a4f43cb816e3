with configurations as (

    select * from {{ ref('int_configurations_current') }}

),

fp8_models as (

    select * from {{ ref('model_pairs') }}
    where relation = 'fp8-to-bf16'

),

-- An FP8 model that is named like its BF16 model with "-FP8" at the end needs no line in the seed.
by_base_model as (

    select
        configurations.*,
        coalesce(
            fp8_models.reference_model_id,
            case
                when configurations.weight_precision = 'fp8'
                    then regexp_replace(configurations.model_id, '-FP8$', '')
            end,
            configurations.model_id
        ) as base_model_id
    from configurations
    left join fp8_models using (model_id)

)

select
    fp8.leaderboard_id,
    bf16.leaderboard_id as bf16_leaderboard_id,
    fp8.base_model_id,
    -- Nobody knows the variables of a server that somebody else runs, or that was not published.
    case
        when fp8.runtime_version not like '%+endpoint' then fp8.runtime_version = bf16.runtime_version
    end as environment_matches,
    bf16.runtime_version = {{ without_environment('bf16.runtime_version') }} as bf16_without_environment
from by_base_model as fp8
inner join by_base_model as bf16
    on
        fp8.base_model_id = bf16.base_model_id
        and fp8.comparability_any_version_id = bf16.comparability_any_version_id
        and {{ without_environment('fp8.runtime_version') }}
        is not distinct from {{ without_environment('bf16.runtime_version') }}
        and fp8.task = bf16.task
        and fp8.workload_id = bf16.workload_id
        and fp8.gpu_model = bf16.gpu_model
        and fp8.num_gpus = bf16.num_gpus
        and fp8.batch_size = bf16.batch_size
        and {{ same_weights('fp8', 'bf16') }}
where fp8.weight_precision = 'fp8' and bf16.weight_precision = 'bfloat16'
