with counted as (
    select
        (select count(*) from last.marts.run_log) as last_runs,
        (select count(*) from candidate.marts.run_log) as runs
)

select
    'run_log' as row_name,
    runs / nullif(last_runs, 0) as no_run_lost,
    format('{} -> {} runs', last_runs, runs) as figures
from counted
