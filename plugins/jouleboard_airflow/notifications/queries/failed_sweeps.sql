-- Runs that still measure although some of their sweeps have failed for good.
select
    task_instance.dag_id,
    task_instance.run_id,
    count(*) filter (where task_instance.state = 'failed') as failed,
    count(*) as sweeps,
    (
        select xcom.value #>> '{}'
        from xcom
        where
            xcom.dag_id = task_instance.dag_id
            and xcom.run_id = task_instance.run_id
            and xcom.key = 'error'
            and xcom.task_id like 'measure%'
        order by xcom.timestamp
        limit 1
    ) as error
from task_instance
inner join dag_run
    on task_instance.dag_id = dag_run.dag_id and task_instance.run_id = dag_run.run_id
where
    dag_run.state = 'running'
    and task_instance.task_id like 'measure%'
    and task_instance.map_index >= 0
group by task_instance.dag_id, task_instance.run_id
having count(*) filter (where task_instance.state = 'failed') > 0
