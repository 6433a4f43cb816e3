-- Each pair of GPU models under every latency ceiling of its task, each side at its least energy.
with featured as (
    {{ gpu_models_with_most_comparisons | indent(4) }}
)

select
    case when architecture = 'diffusion' then task else 'tokens' end as panel,
    coalesce(median_itl_ceiling_ms, batch_latency_ceiling_seconds) as ceiling,
    task,
    nickname,
    new_gpu_model,
    old_gpu_model,
    new_num_gpus,
    old_num_gpus,
    new_batch_size,
    old_batch_size,
    new_energy_per_output_joules,
    old_energy_per_output_joules,
    energy_reduction
from marts.gpu_generation_comparison
where
    data_source = {{ data_source }}
    and (new_gpu_model, old_gpu_model) in (
        select (featured.new_gpu_model, featured.old_gpu_model) from featured
    )
    and task in ('gpqa', 'lm-arena-chat', 'sourcegraph-fim', 'text-to-image', 'text-to-video')
qualify
    row_number() over (
        partition by task, model_id, weight_precision, ceiling order by new_energy_per_output_joules
    ) = 1
order by panel desc, ceiling asc, energy_reduction desc, nickname asc
