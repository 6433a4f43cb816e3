with measurements as (

    select * from {{ ref('int_measurements_unioned') }}
    where
        counts_for_energy
        and energy_per_output_joules is not null
        and inference_steps is not null
        and height is not null
        and width is not null

),

t_quantiles as (

    select * from {{ ref('t_quantiles') }}

),

points as (

    select
        family_id,
        gpu_uuids,
        data_source,
        output_unit,
        {{ identity_columns() }},
        cast(height as bigint) * width as pixels,
        cast(count(*) as integer) as runs,
        string_agg(measurement_id, ', ' order by measurement_id) as run_ids,
        max(measured_at) as last_measured_at,
        avg(energy_per_output_joules) as energy_per_output_joules,
        stddev_samp(energy_per_output_joules) as stddev_joules,
        max(energy_within_run_interval) as energy_within_run_interval
    from (
        select
            *,
            {{ hash_of_keys(
                ['data_source']
                + ((var('configuration_keys') + var('comparability_keys')) | reject('in', var('workload_keys')) | list)
            ) }} as family_id
        from measurements
    ) as measured
    group by all

),

-- Half of the 95 % interval: over the runs, or of the only run over the parts of its window.
widths as (

    select
        points.*,
        case
            when points.runs > 1 then t_quantiles.t_975 * points.stddev_joules / sqrt(points.runs)
            else points.energy_within_run_interval * points.energy_per_output_joules
        end as half_width_joules
    from points
    left join t_quantiles on least(points.runs - 1, 200) = t_quantiles.degrees_of_freedom

)

select
    * exclude (stddev_joules, energy_within_run_interval, half_width_joules),
    {{ lower_end('energy_per_output_joules', 'half_width_joules') }} as energy_per_output_low_joules,
    energy_per_output_joules + half_width_joules as energy_per_output_high_joules,
    case when half_width_joules is not null then if(runs > 1, 'runs', 'window') end as interval_is_over,
    {{ hash_of(['family_id', 'gpu_uuids', 'inference_steps', 'height', 'width', 'num_frames']) }} as point_id
from widths
-- One kind of output on one GPU is no surface.
qualify count(*) over (partition by family_id, gpu_uuids) > 1
