-- Means over each model's minimum-energy configuration on the GPU model that most models were measured on.
with featured as (
    {{ gpu_with_most_models | indent(4) }}
),

minima as (
    select *
    from marts.min_energy_configurations
    where
        data_source = {{ data_source }}
        and scope = 'all-gpu-counts'
        and gpu_model in (select featured.gpu_model from featured)
    qualify
        row_number() over (partition by task, model_id, weight_precision order by energy_per_output_joules)
        = 1
)

select
    any_value(gpu_model) as gpu_model,
    count(*) filter (task = 'gpqa') as hard_models,
    count(*) filter (task = 'lm-arena-chat') as chat_models,
    avg(output_tokens_per_response) filter (task = 'gpqa') as hard_tokens,
    avg(output_tokens_per_response) filter (task = 'lm-arena-chat') as chat_tokens,
    hard_tokens / chat_tokens as tokens_ratio,
    avg(energy_per_response_joules) filter (task = 'gpqa') as hard_joules,
    avg(energy_per_response_joules) filter (task = 'lm-arena-chat') as chat_joules,
    hard_joules / chat_joules as joules_ratio
from minima
having hard_models > 0 and chat_models > 0
