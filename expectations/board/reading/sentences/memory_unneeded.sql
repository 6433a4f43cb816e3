-- Where more GPUs reached a larger batch size and still took more energy per token at their best: the model
-- of the figure first.
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
    fewer.largest_batch_size as fewer_batch,
    more.largest_batch_size as more_batch,
    fewer.energy_per_output_joules as fewer_joules,
    more.energy_per_output_joules as more_joules
from best as fewer
inner join best as more
    on
        fewer.comparability_id = more.comparability_id
        and fewer.task = more.task
        and fewer.model_id = more.model_id
        and fewer.weight_precision = more.weight_precision
        and fewer.gpu_model = more.gpu_model
        and fewer.num_gpus < more.num_gpus
        and fewer.largest_batch_size < more.largest_batch_size
        and fewer.energy_per_output_joules < more.energy_per_output_joules
order by
    (fewer.nickname = 'GPT OSS 120B' and fewer.task = 'gpqa') desc,
    more.energy_per_output_joules / fewer.energy_per_output_joules desc,
    fewer.nickname asc,
    more.num_gpus asc
limit 1
