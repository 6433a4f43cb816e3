select
    runtime,
    runtime_version
from run_log
where data_source = 'jouleboard'
group by runtime, runtime_version
having min(started_at) >= {{ since }}
order by runtime, runtime_version
