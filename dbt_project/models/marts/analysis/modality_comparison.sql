with minima as (

    select * from {{ ref('int_minimum_energy') }}

),

siblings as (

    select * from {{ ref('model_pairs') }}
    where relation = 'multimodal-to-text'

),

text_references as (

    select * from {{ ref('int_task_pairs') }}
    where input_media is not null and reference_input_media is null

)

select
    {{ hash_of(['multimodal.scope', 'multimodal.leaderboard_id', 'text_only.leaderboard_id']) }}
        as comparison_id,
    multimodal.data_source,
    multimodal.scope,
    multimodal.task,
    text_references.input_media as modality,
    siblings.family,
    multimodal.model_id,
    text_only.model_id as text_model_id,
    multimodal.nickname,
    text_only.nickname as text_nickname,
    multimodal.weight_precision,
    multimodal.gpu_model,
    multimodal.num_gpus,
    text_only.num_gpus as text_num_gpus,
    multimodal.runtime,
    multimodal.runtime_version,
    multimodal.request_set_id,
    text_only.request_set_id as text_request_set_id,
    multimodal.length_control,
    multimodal.power_limit_watts,
    multimodal.weights,
    multimodal.energy_boundary,
    multimodal.model_revision,
    text_only.model_revision as text_model_revision,
    multimodal.batch_size,
    text_only.batch_size as text_batch_size,
    multimodal.output_tokens_per_response,
    text_only.output_tokens_per_response as text_output_tokens_per_response,
    multimodal.energy_per_output_joules as energy_per_token_joules,
    text_only.energy_per_output_joules as text_energy_per_token_joules,
    multimodal.energy_per_output_joules / nullif(text_only.energy_per_output_joules, 0)
        as energy_per_token_ratio,
    multimodal.mean_preprocessing_ms,
    text_only.mean_preprocessing_ms as text_mean_preprocessing_ms,
    multimodal.frontend_cpu_cores,
    text_only.frontend_cpu_cores as text_frontend_cpu_cores,
    multimodal.mean_kv_cache_usage,
    text_only.mean_kv_cache_usage as text_mean_kv_cache_usage
from minima as multimodal
inner join text_references on multimodal.task = text_references.task
inner join siblings on multimodal.model_id = siblings.model_id
inner join minima as text_only
    on
        text_references.reference_task = text_only.task
        and siblings.reference_model_id = text_only.model_id
        and multimodal.scope = text_only.scope
        and multimodal.comparability_any_requests_id = text_only.comparability_any_requests_id
        and multimodal.weight_precision = text_only.weight_precision
        and multimodal.gpu_model = text_only.gpu_model
        and (multimodal.num_gpus = text_only.num_gpus or multimodal.scope = 'all-gpu-counts')
order by
    multimodal.data_source,
    multimodal.scope,
    multimodal.task,
    multimodal.model_id,
    multimodal.gpu_model,
    multimodal.num_gpus,
    comparison_id
