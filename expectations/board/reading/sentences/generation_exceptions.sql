-- Text: where the older GPU model takes less under the tightest ceiling, largest difference first.
with featured as (
    {{ gpu_models_with_most_comparisons | indent(4) }}
)

select
    nickname,
    task,
    new_gpu_model,
    old_gpu_model,
    median_itl_ceiling_ms as ceiling_ms,
    -energy_reduction / (1 - energy_reduction) as older_takes_less,
    energy_reduction,
    new_num_gpus,
    old_num_gpus,
    new_batch_size,
    old_batch_size
from marts.gpu_generation_comparison
where
    data_source = {{ data_source }} and task in ('gpqa', 'lm-arena-chat') and winner = old_gpu_model
    and (new_gpu_model, old_gpu_model) in (
        select (featured.new_gpu_model, featured.old_gpu_model) from featured
    )
order by energy_reduction
limit 3
