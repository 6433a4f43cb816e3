select
    configuration_id,
    machine_hours_per_run,
    gpu_hours_per_run,
    energy_kwh_per_run
from configuration_costs
