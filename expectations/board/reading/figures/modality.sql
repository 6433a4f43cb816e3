-- Of each family the number of GPUs that all its modalities share; of several the one where text costs
-- least.
with pairs as (
    select *
    from marts.modality_comparison
    where data_source = {{ data_source }} and scope = 'gpu-count'
),

featured as (
    {{ gpu_with_most_models | indent(4) }}
),

counted as (
    select
        *,
        count(*) over (partition by model_id, num_gpus) as modalities
    from pairs
    where gpu_model in (select featured.gpu_model from featured)
),

chosen as (
    select *
    from counted
    qualify
        dense_rank() over (
            partition by model_id order by modalities desc, text_energy_per_token_joules asc, num_gpus asc
        ) = 1
),

bars as (
    select
        nickname,
        text_nickname,
        family,
        gpu_model,
        num_gpus,
        modality,
        energy_per_token_joules,
        batch_size,
        mean_kv_cache_usage,
        1 + (modality <> 'image')::int as place
    from chosen
    union
    select
        nickname,
        text_nickname,
        family,
        gpu_model,
        num_gpus,
        'text' as modality,
        text_energy_per_token_joules,
        text_batch_size,
        text_mean_kv_cache_usage,
        0 as place
    from chosen
)

select * from bars
order by
    max(energy_per_token_joules) filter (place = 0) over (partition by nickname), nickname, place
