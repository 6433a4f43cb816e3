-- When the watch had found the releases.
select end_date from task_instance
where dag_id = 'watch_releases' and task_id = 'find_releases'
