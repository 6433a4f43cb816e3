with configurations as (

    select * from {{ ref('int_configurations_current') }}

),

fp8_models as (

    select * from {{ ref('model_pairs') }}
    where relation = 'fp8-to-bf16'

),

buckets as (

    select * from {{ ref('precision_buckets') }}

),

by_base_model as (

    select
        configurations.*,
        coalesce(fp8_models.reference_model_id, configurations.model_id) as base_model_id
    from configurations
    left join fp8_models using (model_id)

)

select
    {{ hash_of(['fp8.leaderboard_id', 'bf16.leaderboard_id']) }} as comparison_id,
    fp8.data_source,
    fp8.architecture,
    fp8.task,
    fp8.base_model_id,
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
    fp8.runtime_version = bf16.runtime_version as environment_matches,
    fp8.tensor_parallel as fp8_tensor_parallel,
    bf16.tensor_parallel as bf16_tensor_parallel,
    fp8.expert_parallel as fp8_expert_parallel,
    bf16.expert_parallel as bf16_expert_parallel,
    fp8.data_parallel as fp8_data_parallel,
    bf16.data_parallel as bf16_data_parallel,
    fp8.output_unit,
    fp8.energy_per_output_joules as fp8_energy_per_output_joules,
    bf16.energy_per_output_joules as bf16_energy_per_output_joules,
    fp8.median_itl_ms as fp8_median_itl_ms,
    bf16.median_itl_ms as bf16_median_itl_ms,
    fp8.batch_latency_seconds as fp8_batch_latency_seconds,
    bf16.batch_latency_seconds as bf16_batch_latency_seconds,
    fp8.energy_per_output_joules / nullif(bf16.energy_per_output_joules, 0) - 1 as energy_change,
    fp8.latency_seconds / nullif(bf16.latency_seconds, 0) - 1 as latency_change,
    fp8.energy_per_output_joules < bf16.energy_per_output_joules as fp8_wins_energy,
    fp8.latency_seconds < bf16.latency_seconds as fp8_wins_latency
from by_base_model as fp8
inner join by_base_model as bf16
    on
        fp8.base_model_id = bf16.base_model_id
        and fp8.comparability_any_version_id = bf16.comparability_any_version_id
        and {{ without_environment('fp8.runtime_version') }} = {{ without_environment('bf16.runtime_version') }}
        and fp8.task = bf16.task
        and fp8.workload_id = bf16.workload_id
        and fp8.gpu_model = bf16.gpu_model
        and fp8.num_gpus = bf16.num_gpus
        and fp8.batch_size = bf16.batch_size
        and {{ same_weights('fp8', 'bf16') }}
inner join buckets on fp8.batch_size between buckets.min_batch_size and buckets.max_batch_size
where fp8.weight_precision = 'fp8' and bf16.weight_precision = 'bfloat16'
-- Kernels for FP8 are chosen by environment variables that say nothing to BF16: the BF16 row with the same ones,
-- else the one with none.
qualify
    row_number() over (
        partition by fp8.leaderboard_id, bf16.configuration_id, bf16.model_revision
        order by
            fp8.runtime_version = bf16.runtime_version desc,
            bf16.runtime_version = {{ without_environment('bf16.runtime_version') }} desc,
            bf16.runtime_version asc
    ) = 1
order by
    fp8.data_source, fp8.task, fp8.base_model_id, fp8.gpu_model, fp8.num_gpus, fp8.batch_size, comparison_id
