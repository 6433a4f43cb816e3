-- What the runs of campaigns that ended since then cost; a sum is NULL if a part of it is unknown.
select
    coalesce(sum(runs), 0) as runs,
    case when bool_and(gpu_hours is not null) then sum(gpu_hours) end as gpu_hours,
    sum(known_energy_kwh) as known_energy_kwh,
    coalesce(sum(runs_without_energy), 0) as runs_without_energy
from campaign_ledger
where
    data_source = 'jouleboard'
    and finished_at >= {{ since }}
