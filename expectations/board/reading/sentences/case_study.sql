-- One model on both tasks, the same GPU model and number of GPUs, each side at its largest batch size.
with rows as (
    select
        *,
        (nickname = 'Qwen 3 32B' and gpu_model = 'B200' and num_gpus = 1) as preferred
    from marts.leaderboard
    where
        data_source = {{ data_source }} and task in ('gpqa', 'lm-arena-chat') and is_current_revision
        and energy_per_output_joules is not null and acceptance_is_prescribed is not true
),

featured as (
    select
        model_id,
        gpu_model,
        num_gpus
    from rows
    group by model_id, gpu_model, num_gpus
    having count(distinct task) = 2
    order by bool_or(preferred) desc, count(*) desc, model_id, gpu_model asc, num_gpus asc
    limit 1
),

chosen as (
    select *
    from rows
    where
        (model_id, gpu_model, num_gpus) in (
            select (featured.model_id, featured.gpu_model, featured.num_gpus) from featured
        )
),

largest as (
    select
        any_value(nickname) as nickname,
        any_value(gpu_model) as gpu_model,
        any_value(num_gpus) as num_gpus,
        max(batch_size) filter (task = 'gpqa') as hard_batch,
        max(batch_size) filter (task = 'lm-arena-chat') as chat_batch,
        arg_max(output_tokens_per_response, batch_size) filter (task = 'gpqa') as hard_tokens,
        arg_max(output_tokens_per_response, batch_size) filter (task = 'lm-arena-chat') as chat_tokens,
        arg_max(energy_per_output_joules, batch_size) filter (task = 'gpqa') as hard_joules_per_token,
        arg_max(energy_per_output_joules, batch_size) filter (task = 'lm-arena-chat')
            as chat_joules_per_token,
        arg_max(energy_per_response_joules, batch_size) filter (task = 'gpqa') as hard_joules,
        arg_max(energy_per_response_joules, batch_size) filter (task = 'lm-arena-chat') as chat_joules
    from chosen
)

select
    largest.*,
    least(largest.hard_batch, largest.chat_batch) as same_batch,
    min(chosen.energy_per_output_joules) filter (
        chosen.task = 'gpqa' and chosen.batch_size = least(largest.hard_batch, largest.chat_batch)
    ) as hard_joules_per_token_same_batch,
    min(chosen.energy_per_output_joules) filter (
        chosen.task = 'lm-arena-chat' and chosen.batch_size = least(largest.hard_batch, largest.chat_batch)
    ) as chat_joules_per_token_same_batch
from largest, chosen
group by all
