-- The largest saving of each kind of output at the middle ceiling of its task.
with featured as (
    {{ gpu_models_with_most_comparisons | indent(4) }}
)

select
    case when architecture = 'diffusion' then task else 'text' end as kind,
    nickname,
    task,
    new_gpu_model,
    old_gpu_model,
    median_itl_ceiling_ms as ceiling_ms,
    batch_latency_ceiling_seconds as ceiling_seconds,
    energy_reduction,
    new_num_gpus,
    old_num_gpus,
    new_batch_size,
    old_batch_size
from marts.gpu_generation_comparison
where
    data_source = {{ data_source }}
    and (new_gpu_model, old_gpu_model) in (
        select (featured.new_gpu_model, featured.old_gpu_model) from featured
    )
    and (
        (median_itl_ceiling_ms = 100 and task in ('gpqa', 'lm-arena-chat'))
        or (batch_latency_ceiling_seconds = 30 and task = 'text-to-image')
        or (batch_latency_ceiling_seconds = 1000 and task = 'text-to-video')
    )
    and winner = new_gpu_model
qualify row_number() over (partition by kind order by energy_reduction desc, nickname asc) = 1
order by kind
