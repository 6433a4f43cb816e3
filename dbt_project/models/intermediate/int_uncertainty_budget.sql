with runs as (

    select * from {{ ref('int_runs_behind_energy') }}

),

components as (

    select * from {{ ref('int_variance_components') }}

),

row_levels as (

    select
        leaderboard_id,
        data_source,
        gpu_model,
        architecture,
        weights,
        count(*) as runs,
        count(within_run_error) as runs_with_parts,
        {{ distinct_behind_energy('server_start_id') }} as servers,
        {{ distinct_behind_energy('measured_on') }} as dates,
        {{ distinct_behind_energy('gpu_uuids') }} as gpus,
        {{ distinct_behind_energy('host') }} as host_names,
        1
        + cast(
            max(temperature_max_celsius) - min(temperature_max_celsius)
            >= {{ var('warmer_celsius') }} as integer
        )
            as heats
    from runs
    group by all

),

placed as (

    select
        row_levels.leaderboard_id,
        row_levels.runs,
        row_levels.weights,
        components.*,
        case components.source
            when 'window' then row_levels.runs_with_parts
            when 'run' then row_levels.runs
            when 'server' then row_levels.servers
            when 'day' then row_levels.dates
            when 'gpu' then row_levels.gpus
            when 'host' then row_levels.host_names
            when 'heat' then row_levels.heats
            when 'instrument' then 1
            when 'weights' then 1
        end as levels
    from row_levels
    inner join components using (data_source, gpu_model, architecture)

),

covered as (

    select
        *,
        -- A window varies within itself; of all else two different ones show how far they differ.
        coalesce(levels >= 2 or (source = 'window' and (levels >= 1 or runs >= 2)), false) as is_covered
    from placed
    -- A figure of real weights stands for no others.
    where source <> 'weights' or weights <> 'real'

)

select
    covered.leaderboard_id,
    covered.data_source,
    covered.gpu_model,
    covered.architecture,
    covered.source,
    covered.levels,
    covered.is_covered,
    covered.relative_size,
    covered.relative_size_low,
    covered.relative_size_high,
    covered.degrees_of_freedom,
    covered.included_in,
    case
        when covered.is_covered then 'covered'
        when covered.relative_size is not null then 'left out'
        when
            holders.is_covered is false and holders.relative_size is not null
            then 'left out, in ' || covered.included_in
        else 'not measured'
    end as verdict
from covered
left join covered as holders
    on covered.leaderboard_id = holders.leaderboard_id and covered.included_in = holders.source
