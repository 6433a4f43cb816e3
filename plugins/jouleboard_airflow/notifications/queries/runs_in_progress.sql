-- Runs that have not ended: what failed before and was cleared may still fail again.
select
    dag_id,
    run_id
from dag_run
where state in ('queued', 'running')
