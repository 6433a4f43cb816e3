-- The two series that the figure shows first: from their smallest batch size from 16 on to the largest.
with series as (
    {{ batch_size_series | indent(4) }}
),

points as (
    select
        scaling.*,
        series.series_number
    from marts.batch_size_scaling as scaling
    inner join series on scaling.series_id = series.series_id
    where
        series.series_number <= 2 and scaling.batch_size >= 16
        and scaling.energy_per_output_joules is not null
)

select
    any_value(nickname) as nickname,
    any_value(task) as task,
    any_value(gpu_model) as gpu_model,
    any_value(num_gpus) as num_gpus,
    min(batch_size) as smallest,
    max(batch_size) as largest,
    arg_min(energy_per_output_joules, batch_size) / arg_max(energy_per_output_joules, batch_size)
        as energy_ratio,
    arg_max(throughput_per_second, batch_size) / arg_min(throughput_per_second, batch_size)
        as throughput_ratio,
    arg_min(median_itl_ms, batch_size) as itl_at_smallest,
    arg_max(median_itl_ms, batch_size) as itl_at_largest,
    arg_min(power_percent_of_tdp, batch_size) / 100 as power_at_smallest,
    arg_max(power_percent_of_tdp, batch_size) / 100 as power_at_largest
from points
group by series_number
order by series_number
