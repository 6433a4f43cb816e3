with pairs as (

    -- Runs before 2026-12-01 did not count what was accepted.
    select
        *,
        coalesce(tokens_per_step, prescribed_acceptance_length) as known_tokens_per_step
    from {{ ref('int_speculation_paired') }}

),

configurations as (

    select * from {{ ref('int_configurations_averaged') }}

),

changes as (

    -- Without a common GPU the difference would be that of the GPUs, so there is no change.
    select
        * replace (
            {{ no_change_without_common_gpus() }}
        )
    from {{ ref('int_speculation_changes') }}

),

{{ changes_by_metric() }}

select
    {{ hash_of(['drafted.leaderboard_id', 'pairs.plain_leaderboard_id']) }} as comparison_id,
    drafted.leaderboard_id,
    pairs.plain_leaderboard_id,
    drafted.data_source,
    drafted.task,
    drafted.model_id,
    drafted.nickname,
    drafted.weight_precision,
    drafted.gpu_model,
    drafted.num_gpus,
    drafted.tensor_parallel,
    drafted.runtime,
    drafted.runtime_version,
    undrafted.runtime_version as plain_runtime_version,
    drafted.request_set_id,
    drafted.length_control,
    drafted.power_limit_watts,
    drafted.weights,
    drafted.energy_boundary,
    drafted.model_revision,
    drafted.batch_size,
    pairs.speculative_method,
    cast(pairs.speculative_tokens as integer) as speculative_tokens,
    pairs.draft_hash,
    pairs.prescribed_acceptance_length,
    pairs.acceptance_length,
    pairs.tokens_per_step,
    energy.on_same_gpus,
    cast(energy.repeats as integer) as energy_repeats,
    cast(energy.old_repeats as integer) as plain_energy_repeats,
    energy.figure as energy_per_output_joules,
    energy.old_figure as plain_energy_per_output_joules,
    energy.figure * pairs.known_tokens_per_step as energy_per_step_joules,
    energy.change as energy_change,
    energy.change - energy.change_half_width as energy_change_low,
    energy.change + energy.change_half_width as energy_change_high,
    (1 + energy.change) * pairs.known_tokens_per_step as break_even_acceptance_length,
    1e3 * latency.figure as median_itl_ms,
    1e3 * latency.old_figure as plain_median_itl_ms,
    latency.change as latency_change,
    latency.change - latency.change_half_width as latency_change_low,
    latency.change + latency.change_half_width as latency_change_high
from pairs
inner join energy using (leaderboard_id, plain_leaderboard_id)
inner join latency using (leaderboard_id, plain_leaderboard_id)
inner join configurations as drafted on pairs.leaderboard_id = drafted.leaderboard_id
inner join configurations as undrafted on pairs.plain_leaderboard_id = undrafted.leaderboard_id
order by
    drafted.task, drafted.model_id, drafted.gpu_model, drafted.num_gpus, drafted.batch_size,
    pairs.speculative_tokens, pairs.prescribed_acceptance_length, comparison_id
