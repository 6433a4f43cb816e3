with measurements as (

    select * from {{ ref('int_measurements_unioned') }}
    where counts_for_speed and counts_for_energy and energy_per_output_joules is not null

),

runs as (

    select
        run_id,
        host,
        started_at,
        temperature_max_celsius,
        instrument_difference,
        steady_parts
    from {{ ref('int_runs_derived') }}

),

t_quantiles as (

    select * from {{ ref('t_quantiles') }}

)

select
    runs.run_id,
    measurements.leaderboard_id,
    measurements.data_source,
    measurements.architecture,
    measurements.gpu_model,
    measurements.model_id,
    measurements.weights,
    {{ hash_of(['measurements.configuration_id', 'measurements.any_weights_id']) }} as any_weights_id,
    measurements.energy_per_output_joules,
    measurements.mean_power_watts / nullif(measurements.num_gpus * measurements.power_limit_watts, 0)
        as share_of_power_limit,
    runs.host,
    measurements.gpu_uuids,
    cast(timezone('UTC', runs.started_at) as date) as measured_on,
    measurements.server_start_id,
    runs.temperature_max_celsius,
    runs.instrument_difference,
    -- Half the width of the 95 % interval over the window's parts is their standard error times t.
    measurements.energy_within_run_interval / t_quantiles.t_975 as within_run_error,
    runs.steady_parts - 1 as within_run_degrees
from (
    select
        *,
        {{ comparability_hash(['weights']) }} as any_weights_id
    from measurements
) as measurements
inner join runs on measurements.measurement_id = runs.run_id
left join t_quantiles on least(runs.steady_parts - 1, 200) = t_quantiles.degrees_of_freedom
