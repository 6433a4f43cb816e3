-- Of each family and GPU model the number of GPUs that all its modalities share; of several the one where
-- text costs least. The pair of siblings shown in detail is `is_case`.
with gpus as (
    {{ gpu_models | indent(4) }}
),

counted as (
    select
        pairs.*,
        gpus.choice_number,
        count(distinct pairs.modality)
            over (partition by pairs.gpu_model, pairs.model_id, pairs.num_gpus)
            as modalities
    from marts.modality_comparison as pairs
    inner join gpus on pairs.gpu_model = gpus.gpu_model
    where pairs.data_source = {{ data_source }} and pairs.scope = 'gpu-count'
),

chosen as (
    select *
    from counted
    qualify
        dense_rank() over (
            partition by gpu_model, model_id
            order by modalities desc, text_energy_per_token_joules asc, num_gpus asc
        ) = 1
),

bars as (
    select
        choice_number,
        nickname,
        text_nickname,
        family,
        gpu_model,
        num_gpus,
        modalities,
        modality,
        energy_per_token_joules,
        batch_size,
        mean_kv_cache_usage,
        mean_preprocessing_ms,
        1 + (modality <> 'image')::int as place
    from chosen
    union
    select
        choice_number,
        nickname,
        text_nickname,
        family,
        gpu_model,
        num_gpus,
        modalities,
        'text' as modality,
        text_energy_per_token_joules,
        text_batch_size,
        text_mean_kv_cache_usage,
        text_mean_preprocessing_ms,
        0 as place
    from chosen
),

least as (
    select *
    from bars
    qualify
        row_number() over (partition by gpu_model, nickname, modality order by energy_per_token_joules) = 1
)

select
    *,
    dense_rank() over (
        partition by gpu_model
        order by (nickname = 'Qwen 3 VL 8B Instruct') desc, modalities desc, nickname asc
    ) = 1 as is_case
from least
