-- One model over all GPU models and numbers of GPUs, in one panel.
with points as (
    select
        *,
        (nickname = 'Qwen 3 235B A22B Thinking FP8' and task = 'gpqa') as preferred
    from marts.time_energy_frontier
    where data_source = {{ data_source }} and median_itl_ms is not null
),

featured as (
    select frontier_id
    from points
    group by frontier_id
    having count(distinct gpu_model) > 1
    order by bool_or(preferred) desc, count(*) desc, frontier_id
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
    is_on_frontier
from points
where frontier_id in (select featured.frontier_id from featured)
qualify row_number() over (partition by gpu_model, num_gpus, batch_size order by energy_per_output_joules) = 1
order by gpu_model, num_gpus, batch_size
