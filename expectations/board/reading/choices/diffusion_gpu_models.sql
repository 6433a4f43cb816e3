-- The GPU models that image and video models were measured on, numbered: the one with most models first, of
-- several the one with most configurations.
select
    gpu_model,
    row_number() over (
        order by count(distinct model_id) desc, count(*) desc, gpu_model asc
    ) as choice_number
from marts.diffusion_parameters
where data_source = {{ data_source }}
group by gpu_model
