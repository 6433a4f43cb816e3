with tasks as (

    select * from {{ ref('stg_jouleboard__tasks') }}

),

token_ceilings as (

    select
        task,
        unnest(median_itl_ceilings_ms) as max_median_itl_ms,
        cast(null as double) as max_batch_latency_seconds
    from tasks

),

batch_ceilings as (

    select
        task,
        cast(null as double) as max_median_itl_ms,
        unnest(batch_latency_ceilings_seconds) as max_batch_latency_seconds
    from tasks

),

ceilings as (

    select * from token_ceilings
    union all
    select * from batch_ceilings

)

select
    *,
    coalesce(max_median_itl_ms / 1e3, max_batch_latency_seconds) as ceiling_seconds
from ceilings
