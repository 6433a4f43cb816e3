-- Comparisons of two runtime versions, by model: those of the newest versions, and how many there are.
-- shown: of each model.
select
    compared.model_id,
    compared.task,
    compared.gpu_model,
    compared.num_gpus,
    compared.batch_size,
    compared.runtime,
    compared.runtime_version,
    compared.old_runtime_version,
    compared.energy_change,
    compared.energy_verdict,
    compared.latency_change,
    compared.latency_verdict,
    cast(count(*) over (partition by compared.model_id) as integer) as comparisons
from marts.runtime_version_comparison as compared
left join marts.release_summary as later
    on
        compared.data_source = later.data_source
        and compared.runtime = later.runtime
        and {{ release_of('compared.runtime_version') }} = later.runtime_version
qualify
    row_number() over (
        partition by compared.model_id
        order by
            later.release_position desc nulls last,
            compared.versions_back asc,
            compared.comparison_id asc
    ) <= {{ shown }}
order by
    compared.model_id,
    compared.task,
    compared.gpu_model,
    compared.num_gpus,
    compared.batch_size,
    compared.runtime_version,
    compared.versions_back,
    compared.comparison_id
