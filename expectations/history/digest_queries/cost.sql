select
    coalesce(sum(gpu_hours), 0) as gpu_hours,
    sum(energy_kwh) as energy_kwh
from campaign_ledger
where
    data_source = 'jouleboard'
    and finished_at >= {{ since }}
