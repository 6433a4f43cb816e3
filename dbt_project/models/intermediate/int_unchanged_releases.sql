with changes as (

    select * from {{ ref('int_canary_changes') }}

),

-- A release changed nothing for a kind if none of its canaries there did.
releases as (

    select
        data_source,
        kind,
        gpu_model,
        runtime,
        runtime_version,
        old_runtime_version,
        count(*) as canaries,
        bool_and(verdict = 'unchanged') as is_unchanged
    from changes
    group by all

)

select * from releases
where is_unchanged
