-- Speculative decoding where the models decided how much of a draft is accepted.
select
    nickname,
    task,
    num_gpus,
    tensor_parallel,
    gpu_model,
    batch_size,
    weights,
    split_part(plain_runtime_version, '+', 1) as runtime_release,
    speculative_method,
    draft_hash,
    speculative_tokens,
    tokens_per_step,
    break_even_acceptance_length as even,
    energy_change,
    latency_change,
    count(*) over (
        partition by
            nickname, task, num_gpus, tensor_parallel, gpu_model, batch_size, weights, runtime_release,
            speculative_method, speculative_tokens
    ) as drafts_alike
from marts.speculative_decoding
where
    data_source = {{ data_source }} and weights <> 'dummy' and energy_change is not null
    and latency_change is not null and prescribed_acceptance_length is null and speculative_tokens is not null
order by nickname, task, gpu_model, num_gpus, speculative_tokens, batch_size, comparison_id
