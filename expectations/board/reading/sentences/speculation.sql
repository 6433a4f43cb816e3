-- Speculative decoding at prescribed acceptance, per configuration, draft and length of the draft. Dummy
-- weights are left out, as among precisions. Tokens per step at which it takes as much energy as none: from
-- every acceptance that was measured. Drafts of one kind that differ are told apart by their hash.
with per_draft as (
    select
        any_value(nickname) as nickname,
        task,
        num_gpus,
        tensor_parallel,
        gpu_model,
        batch_size,
        weights,
        runtime,
        split_part(plain_runtime_version, '+', 1) as runtime_release,
        speculative_method,
        draft_hash,
        speculative_tokens,
        list(
            struct_pack(
                length := coalesce(tokens_per_step, prescribed_acceptance_length), change := energy_change
            )
            order by coalesce(tokens_per_step, prescribed_acceptance_length), energy_change
        ) as measured,
        min(break_even_acceptance_length) as even_low,
        max(break_even_acceptance_length) as even_high
    from marts.speculative_decoding
    where
        data_source = {{ data_source }} and weights <> 'dummy' and energy_change is not null
        and prescribed_acceptance_length is not null and speculative_tokens is not null
    group by
        model_id, task, num_gpus, tensor_parallel, gpu_model, batch_size, speculative_method, draft_hash,
        speculative_tokens, weights, weight_precision, request_set_id, length_control, power_limit_watts,
        energy_boundary, model_revision, runtime, plain_runtime_version
)

select
    *,
    count(*) over (
        partition by
            nickname, task, num_gpus, tensor_parallel, gpu_model, batch_size, weights, runtime_release,
            speculative_method, speculative_tokens
    ) as drafts_alike
from per_draft
order by
    nickname, task, gpu_model, num_gpus, speculative_tokens, batch_size, weights, runtime_release, draft_hash
