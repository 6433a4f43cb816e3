-- The model and task that the last figure shows first: one measured on several GPU models.
select frontier_id
from marts.time_energy_frontier
where data_source = {{ data_source }} and median_itl_ms is not null
group by frontier_id
having count(distinct gpu_model) > 1
order by
    bool_or(nickname = 'Qwen 3 235B A22B Thinking FP8' and task = 'gpqa') desc,
    count(*) desc,
    frontier_id asc
limit 1
