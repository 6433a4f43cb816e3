-- GPU hosts that joined, were not stopped, and have given no sign of life for :minutes minutes.
select
    worker_name,
    last_update
from edge_worker
where
    state not like '%offline%'
    and last_update < now() - make_interval(mins => :minutes)
