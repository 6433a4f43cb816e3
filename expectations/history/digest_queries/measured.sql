-- Releases, however their servers were started.
with runs as (
    select
        *,
        {{ release_of('runtime_version') }} as runtime_release
    from run_log
    where data_source = 'jouleboard' and finished_at >= {{ since }}
)

select
    runtime,
    runtime_release as runtime_version,
    count(*) as runs,
    count(distinct model_id) as models,
    count(*) filter (where status != 'completed') as not_completed
from runs
group by runtime, runtime_release
order by runtime, runtime_release
