-- Minimum-energy configurations in one precision, one task and one family, on the GPU model with most
-- models of it.
with featured as (
    select
        task,
        family,
        gpu_model
    from marts.model_size_scaling
    where
        data_source = {{ data_source }} and architecture = 'llm' and weight_precision = 'bfloat16'
        and parameter_use is not null
    group by task, family, gpu_model
    order by count(distinct activated_params_billions) desc, task, gpu_model asc
    limit 1
)

select
    task,
    family,
    gpu_model,
    nickname,
    parameter_use,
    total_params_billions,
    activated_params_billions,
    num_gpus,
    energy_per_output_joules as energy_per_token_joules
from marts.model_size_scaling
where
    data_source = {{ data_source }} and weight_precision = 'bfloat16' and parameter_use is not null
    and (task, family, gpu_model) in (
        select (featured.task, featured.family, featured.gpu_model) from featured
    )
qualify row_number() over (partition by model_id order by energy_per_output_joules) = 1
order by activated_params_billions
