-- Runs past the deadline of their DAG. A run has its whole time again
-- after it was cleared or after a question.
-- A run that waits for a person is not late: the question is told.
select
    dag_run.dag_id,
    dag_run.run_id,
    dag_run.state,
    min(deadline.deadline_time) as deadline_at
from deadline
inner join dag_run on deadline.dagrun_id = dag_run.id
where
    dag_run.state in ('queued', 'running')
    and greatest(
        coalesce(dag_run.start_date, dag_run.queued_at, deadline.created_at),
        (
            select max(task_instance.updated_at)
            from hitl_detail
            inner join task_instance on hitl_detail.ti_id = task_instance.id
            where task_instance.dag_id = dag_run.dag_id and task_instance.run_id = dag_run.run_id
        )
    )
    + (deadline.deadline_time - deadline.created_at) < now()
    and not exists (
        select 1
        from task_instance
        where
            task_instance.dag_id = dag_run.dag_id
            and task_instance.run_id = dag_run.run_id
            and task_instance.state = 'awaiting_input'
    )
group by dag_run.dag_id, dag_run.run_id, dag_run.state
