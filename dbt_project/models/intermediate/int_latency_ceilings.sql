with tasks as (

    select * from {{ ref('stg_jouleboard__tasks') }}

),

token_ceilings as (

    select
        task,
        unnest(median_itl_ceilings_ms) as median_itl_ceiling_ms,
        cast(null as double) as batch_latency_ceiling_seconds
    from tasks

),

batch_ceilings as (

    select
        task,
        cast(null as double) as median_itl_ceiling_ms,
        unnest(batch_latency_ceilings_seconds) as batch_latency_ceiling_seconds
    from tasks

),

ceilings as (

    select * from token_ceilings
    union all
    select * from batch_ceilings

)

select
    *,
    coalesce(median_itl_ceiling_ms / 1e3, batch_latency_ceiling_seconds) as ceiling_seconds
from ceilings
