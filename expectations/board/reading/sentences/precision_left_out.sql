-- Pairs that the table leaves out: the two precisions were served with different parallelism.
select
    nickname,
    task,
    gpu_model,
    num_gpus,
    any_value(fp8_data_parallel) as fp8_data_parallel,
    any_value(bf16_data_parallel) as bf16_data_parallel,
    count(*) as pairs,
    count(*) filter (fp8_wins_energy) as energy_wins,
    count(*) filter (fp8_wins_latency) as latency_wins,
    min(energy_change) as energy_low,
    max(energy_change) as energy_high
from marts.precision_comparison
where
    data_source = {{ data_source }} and architecture <> 'diffusion' and not parallelism_matches
    and fp8_data_parallel <> bf16_data_parallel and weights <> 'dummy' and energy_change is not null
    and latency_change is not null
group by nickname, task, gpu_model, num_gpus
order by pairs desc, nickname asc, task asc, gpu_model asc, num_gpus asc
