-- The task, family and GPU model with most sizes of model in BF16.
select
    task,
    family,
    gpu_model
from marts.model_size_scaling
where
    data_source = {{ data_source }} and architecture = 'llm' and weight_precision = 'bfloat16'
    and parameter_use is not null
group by task, family, gpu_model
order by count(distinct activated_params_billions) desc, task asc, gpu_model asc
limit 1
