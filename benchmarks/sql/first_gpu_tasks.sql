-- When the first GPU task of each release was queued.
select
    run_id,
    min(queued_dttm) as queued_at
from task_instance
where
    dag_id = 'benchmark_release'
    and task_id like 'measure%h200'
    and queued_dttm is not null
group by run_id
