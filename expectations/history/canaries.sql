select
    release_canaries.kind,
    release_canaries.gpu_model,
    release_canaries.model_id,
    release_canaries.batch_size,
    release_canaries.old_runtime_version,
    release_canaries.energy_change,
    release_canaries.energy_change_low,
    release_canaries.energy_change_high,
    {{ contested }} as contested
from release_canaries
left join release_history using (leaderboard_id)
where
    release_canaries.data_source = 'jouleboard'
    and release_canaries.runtime = {{ runtime }}
    and release_canaries.runtime_version = {{ version }}
