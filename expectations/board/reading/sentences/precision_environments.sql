-- Pairs whose servers had different environment variables, which choose the kernels for FP8. A hash stands
-- for them in the version; the record of each run has them (`provenance.server_environment`).
select
    nickname,
    task,
    gpu_model,
    num_gpus,
    runtime_version as fp8_runtime_version,
    bf16_runtime_version,
    count(*) as pairs
from marts.precision_comparison
where
    data_source = {{ data_source }} and architecture <> 'diffusion' and parallelism_matches
    and weights <> 'dummy' and energy_change is not null and latency_change is not null
    and not environment_matches
group by nickname, task, gpu_model, num_gpus, runtime_version, bf16_runtime_version
order by
    pairs desc,
    nickname asc,
    task asc,
    gpu_model asc,
    num_gpus asc,
    runtime_version asc,
    bf16_runtime_version asc
