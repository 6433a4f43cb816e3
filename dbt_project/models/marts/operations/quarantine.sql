with verdicts as (

    select * from {{ ref('stg_jouleboard__verdicts') }}
    where not is_accepted

),

runs as (

    select * from {{ ref('stg_jouleboard__runs') }}

),

findings as (

    select
        run_id,
        string_agg(distinct check_name, ', ' order by check_name) as failed_checks,
        count(*) as failed_check_count,
        count(*) filter (severity = 'critical') as critical_check_count
    from {{ ref('stg_jouleboard__findings') }}
    group by run_id

)

select
    verdicts.run_id,
    coalesce({{ source_of_runs('runs', 'verdicts') }}, 'jouleboard') as data_source,
    verdicts.signed_by,
    runs.status,
    runs.started_at,
    runs.sweep_id,
    runs.configuration_id,
    runs.task,
    runs.model_id,
    runs.gpu_model,
    runs.num_gpus,
    runs.batch_size,
    runs.runtime,
    runs.runtime_version,
    verdicts.reasons,
    findings.failed_checks,
    cast(coalesce(findings.failed_check_count, 0) as integer) as failed_check_count,
    cast(coalesce(findings.critical_check_count, 0) as integer) as critical_check_count,
    runs.failure_phase,
    runs.failure_message
from verdicts
left join runs using (run_id)
left join findings using (run_id)
order by runs.started_at, verdicts.run_id
