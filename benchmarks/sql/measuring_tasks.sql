-- When each measuring task of a run was scheduled, queued, started and ended.
select
    scheduled_dttm,
    queued_dttm,
    start_date,
    end_date
from task_instance
where
    run_id = :run_id
    and task_id = 'measure_on_cpu'
    and map_index >= 0
