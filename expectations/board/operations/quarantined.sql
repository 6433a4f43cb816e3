-- Runs that the gate set aside.
select *
from marts.quarantine
order by failed_checks, started_at, run_id
