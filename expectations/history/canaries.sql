select
    kind,
    gpu_model,
    model_id,
    batch_size,
    old_runtime_version,
    energy_change,
    energy_change_low,
    energy_change_high
from release_canaries
where
    data_source = 'jouleboard'
    and runtime = {{ runtime }}
    and runtime_version = {{ runtime_version }}
