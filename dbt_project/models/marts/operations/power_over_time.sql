with measurements as (

    select * from {{ ref('int_measurements_unioned') }}
    where counts_for_speed

),

runs as (

    select * from {{ ref('int_runs_derived') }}

),

profiles as (

    select * from {{ ref('stg_jouleboard__power_profiles') }}

)

select
    profiles.run_id,
    measurements.leaderboard_id,
    measurements.data_source,
    profiles.start_seconds,
    profiles.end_seconds,
    profiles.mean_power_watts,
    (
        (profiles.start_seconds + profiles.end_seconds) / 2
        between runs.steady_start_seconds and runs.steady_end_seconds
    ) as is_in_steady_window
from profiles
inner join measurements on profiles.run_id = measurements.measurement_id
inner join runs on profiles.run_id = runs.run_id
