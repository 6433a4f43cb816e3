with shipped as (

    select
        * exclude (source),
        source as objective_source
    from {{ ref('latency_objectives') }}

),

own as (

    select * from {{ ref('stg_jouleboard__objectives') }}

),

-- An objective of the name of a shipped one replaces its ceilings; it stays the default of its task.
known as (

    select * exclude (default_for)
    from shipped
    where objective not in (select own.objective from own)

    union all by name

    select * from own

)

select
    known.*,
    shipped.default_for
from known
left join shipped on known.objective = shipped.objective
