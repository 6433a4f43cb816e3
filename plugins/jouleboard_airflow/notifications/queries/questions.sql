-- Questions that were asked more than :minutes minutes ago: open, or answered (by nobody: the time is over).
select
    task_instance.dag_id,
    task_instance.run_id,
    task_instance.task_id,
    hitl_detail.subject,
    task_instance.state = 'awaiting_input' and hitl_detail.responded_at is null as is_open,
    hitl_detail.chosen_options #>> '{0}' as answer,
    coalesce(hitl_detail.responded_by ->> 'name', hitl_detail.responded_by ->> 'id') as answered_by
from hitl_detail
inner join task_instance on hitl_detail.ti_id = task_instance.id
where
    hitl_detail.created_at > now() - interval '60 days'
    and hitl_detail.created_at < now() - make_interval(mins => :minutes)
