with configurations as (

    select *
    from {{ ref('int_configurations_averaged') }}
    where num_gpus = 1 and runtime_version is not null

),

canaries as (

    select * from {{ ref('stg_jouleboard__canaries') }}

),

pairs as (

    select * from {{ ref('int_runtime_versions_paired') }}

),

confirmations as (

    select * from {{ ref('int_release_confirmations') }}

),

changes as (

    select
        configurations.leaderboard_id,
        pairs.old_leaderboard_id,
        configurations.data_source,
        canaries.kind,
        canaries.margin,
        configurations.nickname,
        {{ identity_columns('configurations') }},
        pairs.old_runtime_version,
        pairs.versions_back,
        confirmations.rerun_servers as servers,
        confirmations.old_rerun_servers as old_servers,
        confirmations.rerun_change as energy_change,
        confirmations.rerun_change - confirmations.rerun_change_half_width_90 as energy_change_low,
        confirmations.rerun_change + confirmations.rerun_change_half_width_90 as energy_change_high
    from configurations
    inner join canaries
        on
            configurations.model_id = canaries.model_id
            and configurations.task = canaries.task
            and configurations.batch_size = canaries.batch_size
    inner join pairs using (leaderboard_id)
    inner join confirmations using (leaderboard_id, old_leaderboard_id)
    where confirmations.rerun_change is not null

)

select
    *,
    case
        when energy_change_low is null then 'undecided'
        when energy_change_low >= -margin and energy_change_high <= margin then 'unchanged'
        when energy_change_high < -margin or energy_change_low > margin then 'changed'
        else 'undecided'
    end as verdict
from changes
