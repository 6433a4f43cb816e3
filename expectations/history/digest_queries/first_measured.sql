-- Releases, however their servers were started.
select
    runtime,
    {{ release_of('runtime_version') }} as runtime_version
from run_log
where data_source = 'jouleboard'
group by all
having min(started_at) >= {{ since }}
order by all
