-- From the smallest batch size from 16 on to the largest: every series of language models with three or more.
with series as (
    select
        series_id,
        any_value(nickname) as nickname,
        any_value(task) as task,
        arg_min(energy_per_output_joules, batch_size) as at_smallest,
        arg_max(energy_per_output_joules, batch_size) as at_largest,
        arg_max(median_itl_ms, batch_size) > arg_min(median_itl_ms, batch_size) as latency_rises,
        arg_max(throughput_per_second, batch_size) > arg_min(throughput_per_second, batch_size)
            as throughput_rises,
        arg_max(mean_power_watts, batch_size) > arg_min(mean_power_watts, batch_size) as power_rises,
        max(power_percent_of_tdp) as highest_power,
        min(batch_size) as smallest,
        max(batch_size) as largest
    from marts.batch_size_scaling
    where
        data_source = {{ data_source }}
        and architecture = 'llm'
        and batch_size >= 16
        and energy_per_output_joules is not null
    group by series_id
    having count(*) >= 3
)

select
    count(*) as series,
    median(at_smallest / at_largest) as median_ratio,
    min(at_smallest / at_largest) as low,
    max(at_smallest / at_largest) as high,
    arg_max(nickname, at_smallest / at_largest) as high_model,
    arg_max(task, at_smallest / at_largest) as high_task,
    arg_max(smallest, at_smallest / at_largest) as high_smallest,
    arg_max(largest, at_smallest / at_largest) as high_largest,
    count(*) filter (latency_rises) as latency_rises,
    count(*) filter (throughput_rises) as throughput_rises,
    count(*) filter (power_rises) as power_rises,
    count(latency_rises) as latency_series,
    count(throughput_rises) as throughput_series,
    count(power_rises) as power_series,
    max(highest_power) as highest_power
from series
having count(*) > 0
