with pairs as (

    select * from {{ ref('int_runtime_versions_paired') }}

),

measurements as (

    select * from {{ ref('int_measurements_unioned') }}
    where counts_for_speed

),

-- Runs are added up before they are paired: a row is compared with every earlier version of it.
gpus as (

    select
        leaderboard_id,
        gpu_uuids,
        {{ spread('energy_per_output_joules', 'energy') }},
        {{ spread('latency_seconds', 'latency') }}
    from measurements
    group by all

),

versions as (

    {{ both_versions('pairs') }}

),

sides as (

    select
        versions.*,
        gpus.gpu_uuids,
        gpus.energy_repeats,
        gpus.energy_figure,
        gpus.energy_squared_deviations,
        gpus.latency_repeats,
        gpus.latency_figure,
        gpus.latency_squared_deviations
    from versions
    inner join gpus on versions.measured_id = gpus.leaderboard_id

),

deciding as (

    -- If energy can be compared, a GPU without energy under one of the versions is not common to them.
    select
        *,
        energy_repeats > 0 or not (
            sum(energy_repeats) filter (is_later_version) over pair > 0
            and sum(energy_repeats) filter (not is_later_version) over pair > 0
        ) as decides
    from sides
    window pair as (partition by leaderboard_id, old_leaderboard_id)

),

placed as (

    select
        * exclude (decides),
        gpu_uuids is not null
        and bool_or(decides and is_later_version) over same_gpus
        and bool_or(decides and not is_later_version) over same_gpus as is_on_common_gpus
    from deciding
    window same_gpus as (partition by leaderboard_id, old_leaderboard_id, gpu_uuids)

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
