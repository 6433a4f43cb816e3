-- Every series of matched pairs; the one below is drawn first where the source has it, else the one with most
-- batch sizes.
with pairs as (
    select
        *,
        md5(
            concat_ws(
                '|', fp8_model_id, bf16_model_id, fp8_model_revision, bf16_model_revision, task, gpu_model,
                num_gpus, request_set_id, length_control, power_limit_watts, energy_boundary, weights,
                runtime_version, bf16_runtime_version
            )
        ) as series_id,
        (
            fp8_nickname like 'Qwen 3 235B A22B Instruct%' and task = 'lm-arena-chat' and gpu_model = 'H100'
            and num_gpus = 8
        ) as preferred
    from marts.precision_comparison
    where data_source = {{ data_source }} and architecture <> 'diffusion' and parallelism_matches
),

ranked as (
    select
        *,
        count(*) over (partition by series_id) as batch_sizes
    from pairs
)

select
    series_id,
    nickname,
    task,
    gpu_model,
    num_gpus,
    weights,
    request_set_id,
    batch_size,
    bf16_energy_per_output_joules,
    fp8_energy_per_output_joules,
    bf16_median_itl_ms,
    fp8_median_itl_ms,
    energy_change,
    latency_change,
    runtime_version,
    length_control,
    power_limit_watts,
    on_same_gpus,
    runtime_version as fp8_runtime_version,
    bf16_runtime_version
from ranked
order by
    preferred desc,
    batch_sizes desc,
    nickname asc,
    task asc,
    gpu_model asc,
    num_gpus asc,
    series_id asc,
    batch_size asc
