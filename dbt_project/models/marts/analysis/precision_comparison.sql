with pairs as (

    select * from {{ ref('int_precisions_paired') }}

),

configurations as (

    select * from {{ ref('int_configurations_current') }}

),

changes as (

    select * from {{ ref('int_precision_changes') }}

),

{{ changes_by_metric() }},

buckets as (

    select * from {{ ref('precision_buckets') }}

)

select
    {{ hash_of(['fp8.leaderboard_id', 'bf16.leaderboard_id']) }} as comparison_id,
    pairs.leaderboard_id as fp8_leaderboard_id,
    pairs.bf16_leaderboard_id,
    fp8.data_source,
    fp8.architecture,
    fp8.task,
    pairs.base_model_id,
    bf16.nickname,
    fp8.nickname as fp8_nickname,
    fp8.model_id as fp8_model_id,
    bf16.model_id as bf16_model_id,
    fp8.gpu_model,
    fp8.num_gpus,
    fp8.inference_steps,
    fp8.height,
    fp8.width,
    fp8.num_frames,
    fp8.runtime,
    fp8.runtime_version,
    bf16.runtime_version as bf16_runtime_version,
    fp8.request_set_id,
    fp8.length_control,
    fp8.power_limit_watts,
    fp8.weights,
    fp8.energy_boundary,
    fp8.model_revision as fp8_model_revision,
    bf16.model_revision as bf16_model_revision,
    fp8.batch_size,
    buckets.batch_size_bucket,
    fp8.parallelism_id = bf16.parallelism_id as parallelism_matches,
    pairs.environment_matches,
    fp8.tensor_parallel as fp8_tensor_parallel,
    bf16.tensor_parallel as bf16_tensor_parallel,
    fp8.expert_parallel as fp8_expert_parallel,
    bf16.expert_parallel as bf16_expert_parallel,
    fp8.data_parallel as fp8_data_parallel,
    bf16.data_parallel as bf16_data_parallel,
    fp8.output_unit,
    energy.on_same_gpus,
    cast(energy.repeats as integer) as fp8_energy_repeats,
    cast(energy.old_repeats as integer) as bf16_energy_repeats,
    energy.figure as fp8_energy_per_output_joules,
    energy.old_figure as bf16_energy_per_output_joules,
    case when fp8.median_itl_ms is not null then 1e3 * latency.figure end as fp8_median_itl_ms,
    case when bf16.median_itl_ms is not null then 1e3 * latency.old_figure end as bf16_median_itl_ms,
    case when fp8.batch_latency_seconds is not null then latency.figure end as fp8_batch_latency_seconds,
    case when bf16.batch_latency_seconds is not null then latency.old_figure end
        as bf16_batch_latency_seconds,
    energy.change as energy_change,
    energy.change - energy.change_half_width as energy_change_low,
    energy.change + energy.change_half_width as energy_change_high,
    latency.change as latency_change,
    latency.change - latency.change_half_width as latency_change_low,
    latency.change + latency.change_half_width as latency_change_high,
    energy.figure < energy.old_figure as fp8_wins_energy,
    latency.figure < latency.old_figure as fp8_wins_latency
from pairs
inner join energy using (leaderboard_id, bf16_leaderboard_id)
inner join latency using (leaderboard_id, bf16_leaderboard_id)
inner join configurations as fp8 on pairs.leaderboard_id = fp8.leaderboard_id
inner join configurations as bf16 on pairs.bf16_leaderboard_id = bf16.leaderboard_id
inner join buckets on fp8.batch_size between buckets.min_batch_size and buckets.max_batch_size
-- Kernels for FP8 are chosen by environment variables that say nothing to BF16. So of BF16 rows that differ
-- in them alone one is the partner: what can be compared at all, and on a common GPU, comes first.
qualify
    row_number() over (
        partition by pairs.leaderboard_id, bf16.configuration_id, bf16.model_revision
        order by
            energy.change is not null desc,
            energy.on_same_gpus desc nulls last,
            pairs.environment_matches desc nulls last,
            pairs.bf16_without_environment desc nulls last,
            bf16.runtime_version asc
    ) = 1
order by
    fp8.data_source, fp8.task, pairs.base_model_id, fp8.gpu_model, fp8.num_gpus, fp8.batch_size, comparison_id
