-- Sums over the ledger; NULL if a part is unknown, 0 if nothing was measured. The energy is that of the runs
-- whose energy is known.
select
    coalesce(sum(runs), 0) as runs,
    case when count(*) = count(gpu_hours) then coalesce(sum(gpu_hours), 0) end as gpu_hours,
    case when count(*) = 0 then 0 else sum(known_energy_kwh) end as known_energy_kwh,
    coalesce(sum(runs_without_energy), 0) as runs_without_energy
from campaign_ledger
