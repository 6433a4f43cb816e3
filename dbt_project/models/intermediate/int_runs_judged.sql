with runs as (

    select * from {{ ref('stg_jouleboard__runs') }}

),

verdicts as (

    select * from {{ ref('stg_jouleboard__verdicts') }}

),

judged as (

    select
        runs.* exclude (data_source),
        {{ source_of_runs('runs', 'verdicts') }} as data_source,
        verdicts.signed_by,
        -- When an endpoint was started is not known: a session at it is not its start.
        case when runs.server_kind <> 'endpoint' then runs.server_session_id end as server_start_id,
        -- A run without a verdict does not count.
        coalesce(verdicts.is_accepted, false) as is_accepted,
        verdicts.reasons as refusal_reasons
    from runs
    left join verdicts using (run_id)

)

select
    *,
    coalesce(is_accepted and status = 'completed' and steady_settled, false) as counts_for_speed,
    coalesce(
        is_accepted
        and status = 'completed'
        and steady_settled
        and steady_counter_joules is not null
        and list_contains({{ var('energy_sources_that_count') }}, energy_source),
        false
    ) as counts_for_energy
from judged
