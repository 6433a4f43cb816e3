-- Pools in which sweeps have waited for more than :minutes minutes, while nothing ran there.
-- A task that was skipped has an end, too, and did not run.
select
    waiting.pool,
    count(*) as sweeps,
    min(coalesce(waiting.scheduled_dttm, waiting.queued_dttm)) as waiting_since
from task_instance as waiting
where
    waiting.task_id like 'measure%'
    and waiting.state in ('scheduled', 'queued')
    and not exists (
        select 1
        from task_instance as other
        where
            other.pool = waiting.pool
            and (
                other.state = 'running'
                or (
                    other.state in ('success', 'failed', 'up_for_retry')
                    and other.end_date > now() - make_interval(mins => :minutes)
                )
            )
    )
group by waiting.pool
having min(coalesce(waiting.scheduled_dttm, waiting.queued_dttm)) < now() - make_interval(mins => :minutes)
