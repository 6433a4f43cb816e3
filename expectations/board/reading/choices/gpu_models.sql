-- The GPU models with measured energy, numbered: the one that most models were measured on first, of
-- several the one with most configurations.
select
    gpu_model,
    row_number() over (
        order by count(distinct model_id) desc, count(*) desc, gpu_model asc
    ) as choice_number
from marts.min_energy_configurations
where data_source = {{ data_source }}
group by gpu_model
