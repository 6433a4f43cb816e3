-- What FP8 changes in each model: from its greatest saving to its smallest, with the batch sizes of both.
with pairs as (
    select
        *,
        {{ release_of('runtime_version') }} as runtime_release
    from marts.precision_comparison
    where
        data_source = {{ data_source }} and architecture <> 'diffusion' and parallelism_matches
        and weights <> 'dummy' and energy_change is not null and latency_change is not null
)

select
    nickname,
    task,
    gpu_model,
    num_gpus,
    weights,
    runtime_release,
    count(distinct batch_size) as batch_sizes,
    min(energy_change) as energy_low,
    arg_min(batch_size, (energy_change, batch_size)) as low_batch_size,
    max(energy_change) as energy_high,
    arg_max(batch_size, (energy_change, batch_size)) as high_batch_size
from pairs
group by nickname, task, gpu_model, num_gpus, weights, runtime_release
order by energy_low, nickname, task, gpu_model, num_gpus, weights, runtime_release
