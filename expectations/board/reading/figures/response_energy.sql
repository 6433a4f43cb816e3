-- One row per GPU model, task and model: its minimum-energy configuration. The GPU model that most models were
-- measured on is drawn first.
with gpus as (
    {{ gpu_models | indent(4) }}
)

select
    gpus.choice_number,
    least.task,
    least.nickname,
    least.gpu_model,
    least.num_gpus,
    least.batch_size,
    least.output_tokens_per_response,
    least.energy_per_output_joules as energy_per_token_joules,
    least.energy_per_response_joules
from marts.min_energy_configurations as least
inner join gpus on least.gpu_model = gpus.gpu_model
where
    least.data_source = {{ data_source }} and least.scope = 'all-gpu-counts'
    and least.task in ('gpqa', 'lm-arena-chat')
qualify
    row_number() over (
        partition by least.gpu_model, least.task, least.model_id, least.weight_precision
        order by least.energy_per_output_joules
    ) = 1
order by gpus.choice_number, least.task, least.energy_per_response_joules
