-- Failed runs. The error is that of the verdict, or else the first that a task left.
select
    dag_run.dag_id,
    dag_run.run_id,
    dag_run.end_date as ended_at,
    (
        select xcom.value #>> '{}'
        from xcom
        where xcom.dag_run_id = dag_run.id and xcom.key = 'error'
        order by (xcom.task_id = 'verdict') desc, xcom.timestamp
        limit 1
    ) as error,
    (
        select string_agg(distinct task_instance.task_id, ', ')
        from task_instance
        where
            task_instance.dag_id = dag_run.dag_id
            and task_instance.run_id = dag_run.run_id
            and task_instance.state = 'failed'
    ) as failed_tasks,
    not exists (
        select 1
        from dag_run as later
        where
            later.dag_id = dag_run.dag_id
            and later.state = 'success'
            and coalesce(later.end_date, later.start_date) > dag_run.end_date
    ) as nothing_succeeded_since
from dag_run
where
    dag_run.state = 'failed'
    and dag_run.end_date > now() - interval '60 days'
order by dag_run.end_date
