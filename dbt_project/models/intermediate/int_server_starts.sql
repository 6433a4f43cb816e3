with measurements as (

    select * from {{ ref('int_measurements_unioned') }}
    where counts_for_speed and energy_per_output_joules is not null

),

-- What a server was measured at several times counts once: its runs share what distinguishes it from others.
servers as (

    select
        leaderboard_id,
        data_source,
        architecture,
        model_id,
        gpu_uuids,
        server_start_id,
        count(*) as runs,
        min(measured_at) as first_measured_at,
        avg(energy_per_output_joules) as energy_per_output_joules
    from measurements
    where gpu_uuids is not null and server_start_id is not null
    group by all

)

select * from servers
