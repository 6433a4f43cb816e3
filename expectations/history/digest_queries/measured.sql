select
    runtime,
    runtime_version,
    count(*) as runs,
    count(distinct model_id) as models,
    count(*) filter (where status != 'completed') as not_completed
from run_log
where
    data_source = 'jouleboard'
    and finished_at >= {{ since }}
group by runtime, runtime_version
order by runtime, runtime_version
