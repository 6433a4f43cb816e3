select
    run_id,
    start_seconds,
    end_seconds,
    mean_power_watts
from {{ source('jouleboard', 'power_profiles') }}
