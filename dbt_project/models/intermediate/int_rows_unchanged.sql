with configurations as (

    select
        *,
        {{ version_order('runtime_version') }} as version_order
    from {{ ref('int_configurations_averaged') }}
    where runtime_version is not null

),

models as (

    select
        model_id,
        kind
    from {{ ref('stg_jouleboard__models') }}

),

unchanged as (

    select
        *,
        {{ version_order('runtime_version') }} as version_order
    from {{ ref('int_unchanged_releases') }}

),

measured_again as (

    select
        pairs.old_leaderboard_id as leaderboard_id,
        first(configurations.version_order order by configurations.version_order) as version_order
    from {{ ref('int_runtime_versions_paired') }} as pairs
    inner join configurations on pairs.leaderboard_id = configurations.leaderboard_id
    group by pairs.old_leaderboard_id

),

rows_unchanged as (

    select
        configurations.leaderboard_id,
        unchanged.runtime_version as unchanged_version,
        measured_again.version_order is null
        and row_number() over (
            partition by configurations.leaderboard_id order by unchanged.version_order desc
        ) = 1 as is_newest
    from configurations
    inner join models using (model_id)
    inner join unchanged
        on
            configurations.data_source = unchanged.data_source
            and configurations.gpu_model = unchanged.gpu_model
            and configurations.runtime = unchanged.runtime
            and configurations.runtime_version = unchanged.old_runtime_version
            and models.kind = unchanged.kind
    left join measured_again on configurations.leaderboard_id = measured_again.leaderboard_id
    -- A row that was measured again needs no canary to speak for it from then on.
    where measured_again.version_order is null or measured_again.version_order > unchanged.version_order

)

select * from rows_unchanged
