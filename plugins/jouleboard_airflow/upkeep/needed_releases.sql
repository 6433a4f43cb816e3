-- Releases that are needed: of each configuration the newest one, and those that it is compared with.
with superseded as (

    select distinct
        configuration_id,
        old_runtime_version as runtime_version
    from runtime_version_comparison

),

newest as (

    select
        leaderboard.runtime,
        leaderboard.configuration_id,
        leaderboard.runtime_version
    from leaderboard
    left join superseded
        on
            leaderboard.configuration_id = superseded.configuration_id
            and leaderboard.runtime_version = superseded.runtime_version
    where leaderboard.runtime_version is not null and superseded.runtime_version is null

),

compared as (

    select
        newest.runtime,
        comparisons.old_runtime_version as runtime_version
    from newest
    inner join runtime_version_comparison as comparisons
        on
            newest.configuration_id = comparisons.configuration_id
            and newest.runtime_version = comparisons.runtime_version
    where comparisons.versions_back <= {{ versions_back }}

)

select
    runtime,
    runtime_version
from newest
union
select
    runtime,
    runtime_version
from compared
