with pairs as (

    select * from {{ ref('int_runtime_versions_paired') }}

),

measurements as (

    select
        leaderboard_id,
        measurement_id,
        gpu_uuids,
        energy_per_output_joules,
        latency_seconds
    from {{ ref('int_measurements_unioned') }}
    where counts_for_speed

),

runs as (

    select
        pairs.*,
        true as is_later_version,
        measurements.measurement_id,
        measurements.gpu_uuids,
        measurements.energy_per_output_joules,
        measurements.latency_seconds
    from pairs
    inner join measurements on pairs.leaderboard_id = measurements.leaderboard_id
    union all
    select
        pairs.*,
        false as is_later_version,
        measurements.measurement_id,
        measurements.gpu_uuids,
        measurements.energy_per_output_joules,
        measurements.latency_seconds
    from pairs
    inner join measurements on pairs.old_leaderboard_id = measurements.leaderboard_id

),

deciding as (

    -- If energy can be compared, a GPU without energy under one of the versions is not common to them.
    select
        *,
        energy_per_output_joules is not null or not (
            count(energy_per_output_joules) filter (is_later_version) over pair > 0
            and count(energy_per_output_joules) filter (not is_later_version) over pair > 0
        ) as decides
    from runs
    window pair as (partition by leaderboard_id, old_leaderboard_id)

),

placed as (

    select
        * exclude (decides),
        gpu_uuids is not null
        and bool_or(decides and is_later_version) over gpus
        and bool_or(decides and not is_later_version) over gpus as is_on_common_gpus
    from deciding
    window gpus as (partition by leaderboard_id, old_leaderboard_id, gpu_uuids)

),

labelled as (

    select
        *,
        case
            when bool_or(is_on_common_gpus) over pair then true
            when bool_and(gpu_uuids is not null) over pair then false
        end as on_same_gpus
    from placed
    window pair as (partition by leaderboard_id, old_leaderboard_id)

),

compared as (

    select * exclude (is_on_common_gpus)
    from labelled
    where is_on_common_gpus or on_same_gpus is not true

)

select * from compared
