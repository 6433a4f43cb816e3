-- Every model and task on one and on more GPUs of a GPU model, batch sizes from 16 on; the one below is
-- drawn first where the source has it, else the one with most points.
with points as (
    select
        *,
        (nickname = 'GPT OSS 120B' and task = 'gpqa') as preferred,
        count(*) over (partition by frontier_id) as points_of_model
    from marts.time_energy_frontier
    where data_source = {{ data_source }} and batch_size >= 16 and median_itl_ms is not null
),

choices as (
    select
        frontier_id,
        gpu_model,
        row_number() over (
            order by
                bool_or(preferred) desc,
                max(points_of_model) desc,
                min(nickname) asc,
                min(task) asc,
                frontier_id asc,
                gpu_model asc
        ) as choice_number
    from points
    group by frontier_id, gpu_model
    having count(distinct num_gpus) > 1
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
    points.is_on_gpu_frontier
from points
inner join choices on points.frontier_id = choices.frontier_id and points.gpu_model = choices.gpu_model
qualify
    row_number() over (
        partition by points.frontier_id, points.gpu_model, points.num_gpus, points.batch_size
        order by points.energy_per_output_joules
    ) = 1
order by choices.choice_number, points.num_gpus, points.batch_size
