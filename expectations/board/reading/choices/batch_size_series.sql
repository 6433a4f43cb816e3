-- Every series of batch sizes from 16 on with two or more; the two that the figure shows first are 1 and 2.
with preferred as (
    select
        unnest(['DeepSeek R1', 'Qwen 3 Coder 30B A3B']) as nickname,
        unnest(['gpqa', 'sourcegraph-fim']) as task,
        'B200' as gpu_model,
        unnest([8, 1]) as num_gpus,
        unnest([1, 2]) as place
)

select
    scaling.series_id,
    row_number() over (
        order by
            min(preferred.place) asc nulls last,
            count(*) desc,
            scaling.nickname asc,
            scaling.task asc,
            scaling.gpu_model asc,
            scaling.num_gpus asc,
            scaling.series_id asc
    ) as series_number
from marts.batch_size_scaling as scaling
left join preferred
    on
        scaling.nickname = preferred.nickname
        and scaling.task = preferred.task
        and scaling.gpu_model = preferred.gpu_model
        and scaling.num_gpus = preferred.num_gpus
where
    scaling.data_source = {{ data_source }} and scaling.batch_size >= 16
    and scaling.energy_per_output_joules is not null and scaling.architecture <> 'diffusion'
group by scaling.series_id, scaling.nickname, scaling.task, scaling.gpu_model, scaling.num_gpus
having count(*) > 1
