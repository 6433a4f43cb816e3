with runs as (

    select * from {{ ref('int_runs_judged') }} where architecture = 'diffusion'

),

published as (

    select * from {{ ref('stg_mlenergy__configurations') }} where architecture = 'diffusion'

),

windows as (

    select
        *,
        case when steady_settled then steady_end_seconds - steady_start_seconds end as steady_seconds,
        case when counts_for_energy then steady_counter_joules end as energy_joules,
        case when counts_for_energy then steady_counter_seconds end as energy_seconds
    from runs

),

measured as (

    select
        run_id as measurement_id,
        data_source,
        configuration_id,
        architecture,
        {{ identity_columns() }},
        energy_source,
        1 as replicate,
        finished_at as measured_at,
        gpu_uuids,
        server_start_id,
        counts_for_speed,
        counts_for_energy,
        requests_completed as completed_requests,
        energy_joules / nullif(steady_output_items, 0) as energy_per_item_joules,
        case when counts_for_energy and mlenergy_settled
            then mlenergy_counter_joules / nullif(mlenergy_output_items, 0) end
            as mlenergy_window_energy_per_item_joules,
        steady_output_items / nullif(steady_seconds, 0) as items_per_second,
        steady_seconds * batch_size / nullif(steady_output_items, 0) as batch_latency_seconds,
        energy_joules / nullif(energy_seconds, 0) as mean_power_watts,
        e2e_p50_ms as median_e2e_ms,
        e2e_p99_ms as p99_e2e_ms
    from windows

),

imported as (

    select
        measurement_id,
        data_source,
        configuration_id,
        architecture,
        {{ identity_columns() }},
        energy_source,
        replicate,
        cast(null as timestamptz) as measured_at,
        cast(null as varchar) as gpu_uuids,
        cast(null as varchar) as server_start_id,
        replicate = 1 as counts_for_speed,
        replicate = 1 as counts_for_energy,
        completed_requests,
        coalesce(energy_per_image_joules, energy_per_video_joules) as energy_per_item_joules,
        coalesce(energy_per_image_joules, energy_per_video_joules) as mlenergy_window_energy_per_item_joules,
        coalesce(images_per_second, videos_per_second) as items_per_second,
        batch_latency_seconds,
        mean_power_watts,
        cast(null as double) as median_e2e_ms,
        cast(null as double) as p99_e2e_ms
    from published

)

select * from measured
union all by name
select * from imported
