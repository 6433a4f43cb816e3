-- Where more GPUs allowed a batch size that fewer did not have, and took less energy for it: largest
-- saving first.
with best as (
    select *
    from marts.min_energy_configurations
    where data_source = {{ data_source }} and scope = 'gpu-count' and architecture = 'llm'
)

select
    fewer.nickname,
    fewer.task,
    fewer.gpu_model,
    fewer.num_gpus as fewer_gpus,
    more.num_gpus as more_gpus,
    fewer.batch_size as fewer_batch,
    more.batch_size as more_batch,
    1 - more.energy_per_output_joules / fewer.energy_per_output_joules as saving
from best as fewer
inner join best as more
    on
        fewer.comparability_id = more.comparability_id
        and fewer.task = more.task
        and fewer.model_id = more.model_id
        and fewer.weight_precision = more.weight_precision
        and fewer.gpu_model = more.gpu_model
        and fewer.num_gpus < more.num_gpus
        and fewer.largest_batch_size < more.batch_size
        and fewer.energy_per_output_joules > more.energy_per_output_joules
order by saving desc, fewer.nickname asc, more.num_gpus asc
limit 3
