-- The series of matched pairs below where the source has it, else the one with most batch sizes.
with pairs as (
    select
        *,
        (
            fp8_nickname like 'Qwen 3 235B A22B Instruct%' and task = 'lm-arena-chat' and gpu_model = 'H100'
            and num_gpus = 8
        ) as preferred
    from marts.precision_comparison
    where data_source = {{ data_source }} and architecture <> 'diffusion' and parallelism_matches
),

featured as (
    select
        base_model_id,
        task,
        gpu_model,
        num_gpus
    from pairs
    group by base_model_id, task, gpu_model, num_gpus
    order by bool_or(preferred) desc, count(*) desc, base_model_id, task asc, gpu_model asc, num_gpus asc
    limit 1
)

select
    pairs.nickname,
    pairs.task,
    pairs.gpu_model,
    pairs.num_gpus,
    pairs.batch_size,
    pairs.bf16_energy_per_output_joules,
    pairs.fp8_energy_per_output_joules,
    pairs.bf16_median_itl_ms,
    pairs.fp8_median_itl_ms,
    pairs.energy_change,
    pairs.latency_change
from pairs
where
    (pairs.base_model_id, pairs.task, pairs.gpu_model, pairs.num_gpus) in (
        select (featured.base_model_id, featured.task, featured.gpu_model, featured.num_gpus) from featured
    )
order by pairs.batch_size
