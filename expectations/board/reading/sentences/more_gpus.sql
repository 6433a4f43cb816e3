-- Every pair of fewer and more GPUs at the same batch size, text tasks.
select
    gpu_model,
    count(latency_decreases) as latency_pairs,
    count(energy_increases) as energy_pairs,
    avg(latency_decreases::int) as faster_share,
    avg(energy_increases::int) as dearer_share
from marts.multi_gpu_scaling
where data_source = {{ data_source }} and architecture = 'llm'
group by gpu_model
order by gpu_model
