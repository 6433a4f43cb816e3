-- One row per GPU model, task and model: its minimum-energy configuration. The GPU model that most models
-- were measured on is drawn first.
with gpus as (
    {{ gpu_models | indent(4) }}
)

select
    gpus.choice_number,
    best.task,
    best.nickname,
    best.gpu_model,
    best.num_gpus,
    best.batch_size,
    best.output_tokens_per_response,
    best.energy_per_output_joules as energy_per_token_joules,
    best.energy_per_response_joules
from marts.min_energy_configurations as best
inner join gpus on best.gpu_model = gpus.gpu_model
where
    best.data_source = {{ data_source }} and best.scope = 'all-gpu-counts'
    and best.task in ('gpqa', 'lm-arena-chat')
qualify
    row_number() over (
        partition by best.gpu_model, best.task, best.model_id, best.weight_precision
        order by best.energy_per_output_joules
    ) = 1
order by gpus.choice_number, best.task, best.energy_per_response_joules
