-- Every comparison of two versions of a runtime.
select
    *,
    cast(count(*) over pair as integer) as compared,
    cast(count(*) filter (energy_verdict = 'better') over pair as integer) as energy_better,
    cast(count(*) filter (energy_verdict = 'worse') over pair as integer) as energy_worse,
    median(energy_change) over pair as median_energy_change,
    median(latency_change) over pair as median_latency_change
from marts.runtime_version_comparison
window pair as (partition by data_source, runtime, old_runtime_version, runtime_version)
order by
    runtime,
    runtime_version,
    old_runtime_version,
    nickname,
    task,
    gpu_model,
    num_gpus,
    batch_size,
    comparison_id
