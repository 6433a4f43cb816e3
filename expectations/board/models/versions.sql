-- Comparisons of two runtime versions, by model.
select *
from marts.runtime_version_comparison
order by model_id, task, gpu_model, num_gpus, batch_size, runtime_version, versions_back
