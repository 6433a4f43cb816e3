-- Over a year back, copies of the newest run of each DAG that succeeded, with its tasks, their results and
-- events. A record function is called in `from`: in `select`, it would run once per column.
-- noqa: disable=RF02
create temporary table copied as
select
    run.id as old_id,
    nextval(pg_get_serial_sequence('dag_run', 'id')) as new_id,
    run.dag_id,
    run.run_id as old_run,
    run.run_id || '__copy_' || n as new_run,
    n * often.apart as ago
from (
    select distinct on (dag_id) *
    from dag_run
    where state = 'success'
    order by dag_id asc, id desc
) as run
inner join (
    values
    ('watch_releases', interval '1 hour', 8760),
    ('refresh_leaderboard', interval '1 day', 365),
    ('housekeeping', interval '7 days', 52),
    ('benchmark_release', interval '30 days', 12)
) as often (dag_id, apart, times) on run.dag_id = often.dag_id
cross join lateral generate_series(1, often.times) as n;

analyze copied;

insert into dag_run
select another.*
from copied
inner join dag_run as run on copied.old_id = run.id
cross join lateral jsonb_populate_record(
    run,
    jsonb_build_object(
        'id', new_id, 'run_id', new_run, 'queued_at', queued_at - ago, 'start_date', start_date - ago,
        'end_date', end_date - ago, 'run_after', run_after - ago, 'logical_date', logical_date - ago,
        'created_at', created_at - ago, 'updated_at', updated_at - ago
    )
) as another;

insert into task_instance
select another.*
from copied
inner join task_instance as task on copied.dag_id = task.dag_id and copied.old_run = task.run_id
cross join lateral jsonb_populate_record(
    task,
    jsonb_build_object(
        'id', gen_random_uuid(), 'run_id', new_run, 'start_date', start_date - ago,
        'end_date', end_date - ago, 'queued_dttm', queued_dttm - ago, 'scheduled_dttm', scheduled_dttm - ago,
        'updated_at', updated_at - ago, 'last_heartbeat_at', last_heartbeat_at - ago
    )
) as another;

insert into xcom
select another.*
from copied
inner join xcom as result on copied.old_id = result.dag_run_id
cross join lateral jsonb_populate_record(
    result, jsonb_build_object('dag_run_id', new_id, 'run_id', new_run, 'timestamp', result.timestamp - ago)
) as another;

insert into rendered_task_instance_fields
select another.*
from copied
inner join rendered_task_instance_fields as rendered
    on copied.dag_id = rendered.dag_id and copied.old_run = rendered.run_id
cross join lateral jsonb_populate_record(rendered, jsonb_build_object('run_id', new_run)) as another;

insert into log
select another.*
from copied
inner join log as entry on copied.dag_id = entry.dag_id and copied.old_run = entry.run_id
cross join lateral jsonb_populate_record(
    entry,
    jsonb_build_object(
        'id', nextval(pg_get_serial_sequence('log', 'id')), 'run_id', new_run, 'dttm', dttm - ago
    )
) as another;
