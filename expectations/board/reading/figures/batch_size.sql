-- Every series of batch sizes from 16 on. The two with the lowest numbers are drawn first.
with series as (
    {{ batch_size_series | indent(4) }}
)

select
    series.series_number,
    scaling.series_id,
    scaling.nickname,
    scaling.task,
    scaling.gpu_model,
    scaling.num_gpus,
    scaling.weights,
    scaling.runtime_version,
    scaling.request_set_id,
    scaling.length_control,
    scaling.power_limit_watts,
    scaling.batch_size,
    scaling.energy_per_output_joules,
    scaling.throughput_per_second,
    scaling.median_itl_ms,
    scaling.mean_power_watts,
    scaling.energy_percent_of_max,
    scaling.throughput_percent_of_max,
    scaling.latency_percent_of_max,
    scaling.power_percent_of_tdp
from marts.batch_size_scaling as scaling
inner join series on scaling.series_id = series.series_id
where scaling.batch_size >= 16 and scaling.energy_per_output_joules is not null
order by series.series_number, scaling.batch_size
