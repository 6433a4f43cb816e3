-- Every model and task that was measured on two or more GPU models, all numbers of GPUs; the one below is
-- drawn first where the source has it, else the one with most points.
with points as (
    select
        *,
        (nickname = 'Qwen 3 235B A22B Thinking FP8' and task = 'gpqa') as preferred
    from marts.time_energy_frontier
    where data_source = {{ data_source }} and median_itl_ms is not null
),

choices as (
    select
        frontier_id,
        row_number() over (order by bool_or(preferred) desc, count(*) desc, frontier_id asc) as choice_number
    from points
    group by frontier_id
    having count(distinct gpu_model) > 1
)

select
    choices.choice_number,
    points.frontier_id,
    points.nickname,
    points.task,
    points.weights,
    points.runtime_version,
    points.request_set_id,
    points.length_control,
    points.power_limit_watts,
    points.gpu_model,
    points.num_gpus,
    points.batch_size,
    points.median_itl_ms,
    points.energy_per_output_joules,
    points.is_on_frontier
from points
inner join choices on points.frontier_id = choices.frontier_id
qualify
    row_number() over (
        partition by points.frontier_id, points.gpu_model, points.num_gpus, points.batch_size
        order by points.energy_per_output_joules
    ) = 1
order by choices.choice_number, points.gpu_model, points.num_gpus, points.batch_size
