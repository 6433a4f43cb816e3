with changes as (

    select * from {{ ref('int_canary_changes') }}

),

runs as (

    select
        *,
        coalesce(sweep_id, run_id) as campaign_id
    from {{ ref('int_runs_derived') }}

),

measurements as (

    select
        measurement_id as run_id,
        leaderboard_id
    from {{ ref('int_measurements_unioned') }}

),

rows_unchanged as (

    select * from {{ ref('int_rows_unchanged') }}

),

configurations as (

    select * from {{ ref('int_configurations_averaged') }}

),

releases as (

    select
        data_source,
        runtime,
        runtime_version,
        gpu_model,
        count(distinct leaderboard_id) as canaries,
        count(distinct leaderboard_id) filter (verdict <> 'unchanged') as canaries_not_unchanged
    from changes
    group by all

),

-- What was measured in the campaigns that measured the release's canaries, earlier releases included.
campaigns as (

    select distinct
        changes.data_source,
        changes.runtime,
        changes.runtime_version,
        changes.gpu_model,
        runs.campaign_id
    from changes
    inner join measurements using (leaderboard_id)
    inner join runs using (run_id)

),

spent as (

    select
        campaigns.data_source,
        campaigns.runtime,
        campaigns.runtime_version,
        campaigns.gpu_model,
        {{ sum_if_known('runs.phase_seconds * runs.num_gpus') }} / 3600 as gpu_hours
    from campaigns
    inner join runs
        on
            campaigns.data_source = runs.data_source
            and campaigns.campaign_id = runs.campaign_id
            and campaigns.gpu_model = runs.gpu_model
    group by all

),

-- What a row cost when it was last measured: all runs of its last campaign.
last_costs as (

    select
        measurements.leaderboard_id,
        runs.campaign_id,
        max(runs.finished_at) as finished_at,
        {{ sum_if_known('runs.phase_seconds * runs.num_gpus') }} / 3600 as gpu_hours
    from measurements
    inner join runs using (run_id)
    group by measurements.leaderboard_id, runs.campaign_id
    qualify row_number() over (
        partition by measurements.leaderboard_id order by max(runs.finished_at) desc, runs.campaign_id
    ) = 1

),

waiting as (

    select
        configurations.data_source,
        configurations.runtime,
        rows_unchanged.unchanged_version as runtime_version,
        configurations.gpu_model,
        count(*) as configurations,
        count(last_costs.gpu_hours) as configurations_with_cost,
        sum(last_costs.gpu_hours) as gpu_hours
    from rows_unchanged
    inner join configurations using (leaderboard_id)
    left join last_costs using (leaderboard_id)
    group by all

)

select
    {{ hash_of([
        'releases.data_source', 'releases.runtime', 'releases.runtime_version', 'releases.gpu_model'
    ]) }} as saving_id,
    releases.data_source,
    releases.runtime,
    releases.runtime_version,
    releases.gpu_model,
    cast(releases.canaries as integer) as canaries,
    cast(releases.canaries_not_unchanged as integer) as canaries_not_unchanged,
    spent.gpu_hours as spent_gpu_hours,
    cast(coalesce(waiting.configurations, 0) as integer) as configurations_waiting,
    cast(coalesce(waiting.configurations_with_cost, 0) as integer) as configurations_with_cost,
    waiting.gpu_hours as saved_gpu_hours
from releases
left join spent using (data_source, runtime, runtime_version, gpu_model)
left join waiting using (data_source, runtime, runtime_version, gpu_model)
order by
    releases.data_source,
    releases.runtime,
    {{ version_order('releases.runtime_version') }},
    releases.gpu_model
