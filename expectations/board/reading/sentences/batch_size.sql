-- Energy per token at the smallest batch size from 16 on over that at the largest: every series of three
-- or more.
with series as (
    select
        series_id,
        any_value(nickname) as nickname,
        any_value(task) as task,
        arg_min(energy_per_output_joules, batch_size) as at_smallest,
        arg_max(energy_per_output_joules, batch_size) as at_largest,
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
    arg_max(largest, at_smallest / at_largest) as high_largest
from series
having count(*) > 0
