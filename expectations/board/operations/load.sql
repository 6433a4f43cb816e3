-- Power of a model that is loaded and idle, at its smallest and at its largest batch size.
with measured as (
    select
        leaderboard.*,
        row_evidence.idle_watts_loaded
    from marts.leaderboard
    inner join marts.row_evidence using (leaderboard_id)
    where
        leaderboard.data_source = 'jouleboard'
        and leaderboard.mean_power_watts is not null
        and row_evidence.idle_watts_loaded is not null
)

select
    nickname,
    model_id,
    task,
    output_unit,
    gpu_model,
    num_gpus,
    avg(idle_watts_loaded) as idle_watts,
    min(batch_size) as smallest_batch_size,
    arg_min(mean_power_watts, batch_size) as smallest_batch_watts,
    max(batch_size) as largest_batch_size,
    arg_max(mean_power_watts, batch_size) as largest_batch_watts,
    max(throughput_per_second) as most_per_second
from measured
group by all
order by nickname, model_id, task, gpu_model, num_gpus
