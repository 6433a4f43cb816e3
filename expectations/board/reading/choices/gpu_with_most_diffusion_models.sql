-- The GPU model that most image and video models were measured on, of several the one with most
-- configurations.
select gpu_model
from marts.diffusion_parameters
where data_source = {{ data_source }}
group by gpu_model
order by count(distinct model_id) desc, count(*) desc, gpu_model asc
limit 1
