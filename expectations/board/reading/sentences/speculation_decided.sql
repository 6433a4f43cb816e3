-- Speculative decoding where the models decided how much of a draft is accepted.
select
    nickname,
    task,
    num_gpus,
    gpu_model,
    batch_size,
    speculative_tokens,
    energy_change,
    latency_change
from marts.speculative_decoding
where
    data_source = {{ data_source }} and weights <> 'dummy' and energy_change is not null
    and latency_change is not null and prescribed_acceptance_length is null and speculative_tokens is not null
order by nickname, task, gpu_model, num_gpus, speculative_tokens, batch_size, comparison_id
