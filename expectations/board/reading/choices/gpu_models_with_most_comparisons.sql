-- The newer and the older GPU model that were compared most often.
select
    new_gpu_model,
    old_gpu_model
from marts.gpu_generation_comparison
where data_source = {{ data_source }}
group by new_gpu_model, old_gpu_model
order by count(*) desc, new_gpu_model asc, old_gpu_model asc
limit 1
