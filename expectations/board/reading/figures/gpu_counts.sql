-- One model on one and on more GPUs, a panel per GPU model, batch sizes from 16 on.
with points as (
    select
        *,
        (nickname = 'GPT OSS 120B' and task = 'gpqa') as preferred
    from marts.time_energy_frontier
    where data_source = {{ data_source }} and batch_size >= 16 and median_itl_ms is not null
),

featured as (
    select
        nickname,
        task
    from points
    group by nickname, task
    having count(distinct num_gpus) > 1
    order by bool_or(preferred) desc, count(*) desc, nickname, task asc
    limit 1
)

select
    nickname,
    task,
    gpu_model,
    num_gpus,
    batch_size,
    median_itl_ms,
    energy_per_output_joules,
    is_on_gpu_frontier
from points
where (nickname, task) in (select (featured.nickname, featured.task) from featured)
qualify
    row_number() over (partition by gpu_model, num_gpus, batch_size order by energy_per_output_joules) = 1
order by gpu_model, num_gpus, batch_size
