with configurations as (

    select * from {{ ref('int_configurations_averaged') }}
    where is_current_revision

),

speculation as (

    select * from {{ ref('int_rows_with_drafts') }}
    where
        other_server_options = 0
        -- An acceptance that was prescribed in a way that is not known says nothing of the energy.
        and (not acceptance_is_prescribed or prescribed_acceptance_length is not null)

)

select
    drafted.leaderboard_id,
    undrafted.leaderboard_id as plain_leaderboard_id,
    speculation.speculative_method,
    speculation.speculative_tokens,
    speculation.draft_hash,
    speculation.prescribed_acceptance_length,
    speculation.acceptance_length,
    speculation.tokens_per_step
from configurations as drafted
inner join speculation using (leaderboard_id)
inner join configurations as undrafted
    on
        drafted.configuration_id = undrafted.configuration_id
        and drafted.comparability_any_version_id = undrafted.comparability_any_version_id
        and {{ same_weights('drafted', 'undrafted') }}
        and {{ without_hash('drafted.runtime_version', 'config') }} = undrafted.runtime_version
        and drafted.runtime_version <> undrafted.runtime_version
