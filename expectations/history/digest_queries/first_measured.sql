-- Releases, however their servers were started.
select
    runtime,
    regexp_replace(runtime_version, '{{ start_label }}', '') as runtime_version
from run_log
where data_source = 'jouleboard'
group by all
having min(started_at) >= {{ since }}
order by all
