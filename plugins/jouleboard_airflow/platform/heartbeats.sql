-- The last heartbeat of each of Airflow's jobs. A job that was killed stays "running", with an old heartbeat.
select
    job_type,
    max(latest_heartbeat) as latest_heartbeat
from job
where state = 'running'
group by job_type
