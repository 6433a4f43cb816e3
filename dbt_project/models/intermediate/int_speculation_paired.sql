with configurations as (

    select * from {{ ref('int_configurations_current') }}

),

measurements as (

    select * from {{ ref('int_measurements_unioned') }}

),

runs as (

    select * from {{ ref('int_runs_judged') }}

),

-- The options are part of the version, so all runs of a row have the same.
speculation as (

    select
        measurements.leaderboard_id,
        any_value(runs.speculative_method) as speculative_method,
        any_value(runs.speculative_tokens) as speculative_tokens,
        any_value(runs.prescribed_acceptance_length) as prescribed_acceptance_length
    from measurements
    inner join runs on measurements.measurement_id = runs.run_id
    where runs.other_server_options = 0
    group by all

)

select
    drafted.leaderboard_id,
    undrafted.leaderboard_id as plain_leaderboard_id,
    speculation.speculative_method,
    speculation.speculative_tokens,
    speculation.prescribed_acceptance_length
from configurations as drafted
inner join speculation using (leaderboard_id)
inner join configurations as undrafted
    on
        drafted.configuration_id = undrafted.configuration_id
        and drafted.comparability_any_version_id = undrafted.comparability_any_version_id
        and {{ same_weights('drafted', 'undrafted') }}
        and {{ without_hash('drafted.runtime_version', 'config') }} = undrafted.runtime_version
        and drafted.runtime_version <> undrafted.runtime_version
