-- One row per task and model: its minimum-energy configuration on the GPU model that most models were
-- measured on.
with featured as (
    {{ gpu_with_most_models | indent(4) }}
)

select
    task,
    nickname,
    gpu_model,
    num_gpus,
    batch_size,
    output_tokens_per_response,
    energy_per_output_joules as energy_per_token_joules,
    energy_per_response_joules
from marts.min_energy_configurations
where
    data_source = {{ data_source }} and scope = 'all-gpu-counts' and task in ('gpqa', 'lm-arena-chat')
    and gpu_model in (select featured.gpu_model from featured)
qualify
    row_number() over (partition by task, model_id, weight_precision order by energy_per_output_joules) = 1
order by task, energy_per_response_joules
