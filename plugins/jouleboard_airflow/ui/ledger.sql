-- Sums over the ledger; NULL if a part is unknown. The energy is that of the runs whose energy is known.
select
    coalesce(sum(runs), 0) as runs,
    case when bool_and(gpu_hours is not null) then sum(gpu_hours) end as gpu_hours,
    sum(known_energy_kwh) as known_energy_kwh,
    coalesce(sum(runs_without_energy), 0) as runs_without_energy
from campaign_ledger
