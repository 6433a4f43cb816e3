-- Tasks, families and GPU models with two or more models in BF16, numbered: the one with most sizes first.
select
    task,
    family,
    gpu_model,
    row_number() over (
        order by count(distinct activated_params_billions) desc, task asc, gpu_model asc, family asc
    ) as choice_number
from marts.model_size_scaling
where
    data_source = {{ data_source }} and architecture = 'llm' and weight_precision = 'bfloat16'
    and parameter_use is not null
group by task, family, gpu_model
