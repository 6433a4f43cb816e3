with loads as (

    select * from {{ ref('int_loads_averaged') }}
    where request_rate > 0

),

objectives as (

    select * from {{ ref('int_objectives') }}

),

goodput as (

    select * from {{ ref('int_goodput') }}

),

pairs as (

    select
        loads.load_id,
        loads.is_sustained,
        objectives.objective,
        coalesce(objectives.default_for = loads.task, false) as is_own_default,
        coalesce(objectives.default_for = 'other', false) as is_default_of_others,
        objectives.ttft_ceiling_ms,
        objectives.itl_ceiling_ms,
        goodput.goodput_requests_per_second,
        case objectives.ttft_percentile
            when 50 then loads.ttft_p50_ms
            when 90 then loads.ttft_p90_ms
            when 95 then loads.ttft_p95_ms
            when 99 then loads.ttft_p99_ms
        end as ttft_ms,
        case objectives.itl_percentile
            when 50 then loads.itl_p50_ms
            when 90 then loads.itl_p90_ms
            when 95 then loads.itl_p95_ms
            when 99 then loads.itl_p99_ms
        end as itl_ms
    from loads
    cross join objectives
    left join goodput on loads.load_id = goodput.load_id and objectives.objective = goodput.objective

)

select
    load_id,
    objective,
    ttft_ms,
    itl_ms,
    goodput_requests_per_second,
    -- A percentile that is not known meets no ceiling.
    is_sustained
    and coalesce(ttft_ms <= ttft_ceiling_ms, ttft_ceiling_ms is null)
    and coalesce(itl_ms <= itl_ceiling_ms, itl_ceiling_ms is null) as meets_objective,
    is_own_default or (
        is_default_of_others and not bool_or(is_own_default) over (partition by load_id)
    ) as is_default
from pairs
