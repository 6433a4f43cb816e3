with configurations as (

    select
        *,
        {{ version_order('runtime_version') }} as version_order,
        {{ how_started('runtime_version') }} as how_started
    from {{ ref('int_configurations_averaged') }}
    where runtime_version is not null

),

pairs as (

    select
        later.leaderboard_id,
        earlier.leaderboard_id as old_leaderboard_id,
        earlier.runtime_version as old_runtime_version,
        dense_rank() over (
            partition by later.leaderboard_id order by earlier.version_order desc
        ) as versions_back
    from configurations as later
    inner join configurations as earlier
        on
            later.configuration_id = earlier.configuration_id
            and later.comparability_any_version_id = earlier.comparability_any_version_id
            and {{ same_weights('later', 'earlier') }}
            and later.version_order > earlier.version_order
            -- An option of the server is not a release: what it changes is not what a release changed.
            and later.how_started = earlier.how_started

)

select * from pairs
