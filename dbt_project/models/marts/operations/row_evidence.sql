with measurements as (

    select * from {{ ref('int_measurements_unioned') }}
    where counts_for_speed

),

runs as (

    select * replace (nullif(throttle_reasons, '') as throttle_reasons)
    from {{ ref('int_runs_derived') }}

),

published as (

    select
        measurement_id,
        published_on
    from {{ ref('stg_mlenergy__configurations') }}

),

warnings as (

    select
        run_id,
        check_name
    from {{ ref('stg_jouleboard__findings') }}
    where severity = 'warning'

),

gathered as (

    select
        measurements.leaderboard_id,
        measurements.data_source,
        measurements.configuration_id,
        count(*) as runs,
        count(*) filter (measurements.counts_for_energy) as energy_runs,
        min(runs.started_at) as first_started_at,
        max(runs.finished_at) as last_finished_at,
        max(published.published_on) as published_on,
        string_agg(distinct runs.host, ', ' order by runs.host) as host_names,
        list_distinct(flatten(array_agg(string_split(runs.gpu_uuids, ',')))) as gpu_uuids,
        string_agg(distinct runs.driver_version, ', ' order by runs.driver_version) as driver_versions,
        string_agg(distinct runs.cuda_version, ', ' order by runs.cuda_version) as cuda_versions,
        string_agg(distinct runs.torch_version, ', ' order by runs.torch_version) as torch_versions,
        string_agg(distinct runs.runtime_distribution, ', ' order by runs.runtime_distribution)
            as runtime_distributions,
        string_agg(distinct runs.git_commit, ', ' order by runs.git_commit) as git_commits,
        string_agg(distinct runs.sweep_id, ', ' order by runs.sweep_id) as sweep_ids,
        string_agg(measurements.measurement_id, ', ' order by runs.started_at, measurements.measurement_id)
            as run_ids,
        arg_max(measurements.measurement_id, runs.started_at) filter (measurements.counts_for_energy)
            as pictured_run_id,
        sum(runs.steady_seconds) as steady_seconds,
        max(abs(runs.instrument_difference)) as largest_instrument_difference,
        avg(runs.idle_watts_loaded) as idle_watts_loaded,
        max(runs.temperature_max_celsius) as temperature_max_celsius,
        string_agg(distinct runs.throttle_reasons, ', ' order by runs.throttle_reasons)
            as throttle_reasons,
        {{ sum_if_known('runs.phase_seconds * runs.num_gpus') }} as gpu_seconds,
        {{ sum_if_known('runs.phase_joules') }} / 3.6e6 as energy_kwh
    from measurements
    left join runs on measurements.measurement_id = runs.run_id
    left join published on measurements.measurement_id = published.measurement_id
    group by all

),

warned as (

    select
        measurements.leaderboard_id,
        string_agg(distinct warnings.check_name, ', ' order by warnings.check_name) as warned_by
    from measurements
    inner join warnings on measurements.measurement_id = warnings.run_id
    group by measurements.leaderboard_id

)

select
    gathered.leaderboard_id,
    gathered.data_source,
    gathered.configuration_id,
    cast(gathered.runs as integer) as runs,
    cast(gathered.energy_runs as integer) as energy_runs,
    gathered.first_started_at,
    gathered.last_finished_at,
    gathered.published_on,
    gathered.host_names,
    cast(nullif(len(gathered.gpu_uuids), 0) as integer) as gpus,
    nullif(array_to_string(list_sort(gathered.gpu_uuids), ', '), '') as gpu_uuids,
    gathered.driver_versions,
    gathered.cuda_versions,
    gathered.torch_versions,
    gathered.runtime_distributions,
    gathered.git_commits,
    gathered.sweep_ids,
    gathered.run_ids,
    gathered.pictured_run_id,
    gathered.steady_seconds,
    gathered.largest_instrument_difference,
    gathered.idle_watts_loaded,
    gathered.temperature_max_celsius,
    gathered.throttle_reasons,
    warned.warned_by,
    gathered.gpu_seconds,
    gathered.energy_kwh
from gathered
left join warned using (leaderboard_id)
order by gathered.data_source, gathered.leaderboard_id
