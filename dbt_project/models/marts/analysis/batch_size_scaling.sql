with configurations as (

    select
        *,
        {{ hash_of([
            'comparability_id', 'task', 'model_id', 'weight_precision', 'workload_id',
            'gpu_model', 'num_gpus', 'parallelism_id',
        ]) }} as series_id
    from {{ ref('int_configurations_current') }}

)

select
    leaderboard_id,
    series_id,
    data_source,
    architecture,
    nickname,
    {{ identity_columns() }},
    output_unit,
    energy_per_output_joules,
    throughput_per_second,
    median_itl_ms,
    batch_latency_seconds,
    mean_power_watts,
    tdp_watts,
    100 * energy_per_output_joules / max(energy_per_output_joules) over series as energy_percent_of_max,
    100 * throughput_per_second / max(throughput_per_second) over series as throughput_percent_of_max,
    100 * latency_seconds / max(latency_seconds) over series as latency_percent_of_max,
    100 * mean_power_watts / nullif(num_gpus * tdp_watts, 0) as power_percent_of_tdp,
    energy_per_output_joules / min(energy_per_output_joules) over series as energy_ratio_to_minimum,
    lag(batch_size) over steps as previous_batch_size,
    energy_per_output_joules / lag(energy_per_output_joules) over steps - 1 as energy_step_change,
    throughput_per_second / lag(throughput_per_second) over steps - 1 as throughput_step_change,
    latency_seconds / lag(latency_seconds) over steps - 1 as latency_step_change,
    mean_power_watts / lag(mean_power_watts) over steps - 1 as power_step_change
from configurations
window
    series as (partition by series_id),
    steps as (partition by series_id order by batch_size)
order by data_source, task, model_id, gpu_model, num_gpus, series_id, batch_size
