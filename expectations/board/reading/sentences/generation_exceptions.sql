-- Where the older GPU model takes less: one row per model and task at the tightest ceiling that it wins,
-- with what happens under the looser ones. Largest difference first, at most three per kind of output.
with featured as (
    {{ gpu_models_with_most_comparisons | indent(4) }}
),

compared as (
    select
        *,
        coalesce(median_itl_ceiling_ms, batch_latency_ceiling_seconds) as ceiling,
        case when architecture = 'diffusion' then task else 'text' end as kind
    from marts.gpu_generation_comparison
    where
        data_source = {{ data_source }}
        and task in ('gpqa', 'lm-arena-chat', 'text-to-image', 'text-to-video')
        and (new_gpu_model, old_gpu_model) in (
            select (featured.new_gpu_model, featured.old_gpu_model) from featured
        )
),

counted as (
    select
        *,
        winner = old_gpu_model as is_lost,
        count(*) over looser as looser,
        count(*) filter (winner = new_gpu_model) over looser as looser_wins
    from compared
    window
        looser as (
            partition by
                task,
                model_id,
                weight_precision,
                request_set_id,
                weights,
                runtime_version,
                height,
                width,
                num_frames,
                inference_steps
            order by ceiling
            rows between 1 following and unbounded following
        )
)

select
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
    old_batch_size,
    looser,
    looser_wins
from counted
where is_lost
qualify
    row_number() over (partition by task, model_id, weight_precision order by ceiling) = 1
    and dense_rank() over (partition by kind order by energy_reduction, nickname) <= 3
order by kind, energy_reduction, nickname
