-- The model of the last figure: of each line how many points are on the frontier, and its least energy.
with featured as (
    {{ frontier_model | indent(4) }}
),

series as (
    select
        nickname,
        task,
        num_gpus || 'x ' || gpu_model as gpus,
        count(*) as points,
        count(*) filter (is_on_frontier) as on_frontier,
        min(energy_per_output_joules) as least_joules,
        arg_min(batch_size, energy_per_output_joules) as least_batch_size,
        min(median_itl_ms) as fastest_itl_ms
    from marts.time_energy_frontier
    where
        frontier_id in (select featured.frontier_id from featured) and data_source = {{ data_source }}
        and median_itl_ms is not null
    group by nickname, task, gpu_model, num_gpus
)

select
    any_value(nickname) as nickname,
    any_value(task) as task,
    list(series order by least_joules, gpus) as series
from series
having count(*) > 0
