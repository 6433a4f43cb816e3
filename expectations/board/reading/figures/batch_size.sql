-- Two series from batch size 16 on: the two below where the source has them, else the two with most
-- batch sizes.
with preferred as (
    select
        unnest(['DeepSeek R1', 'Qwen 3 Coder 30B A3B']) as nickname,
        unnest(['gpqa', 'sourcegraph-fim']) as task,
        'B200' as gpu_model,
        unnest([8, 1]) as num_gpus,
        unnest([1, 2]) as place
),

points as (
    select
        scaling.*,
        preferred.place,
        count(*) over (partition by scaling.series_id) as batch_sizes
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
),

ranked as (
    select
        *,
        dense_rank() over (
            order by
                place asc nulls last,
                batch_sizes desc,
                nickname asc,
                task asc,
                gpu_model asc,
                num_gpus asc,
                series_id asc
        ) as series_number
    from points
    where batch_sizes > 1
)

select
    series_number,
    nickname,
    task,
    gpu_model,
    num_gpus,
    batch_size,
    energy_percent_of_max,
    throughput_percent_of_max,
    latency_percent_of_max,
    power_percent_of_tdp
from ranked
where series_number <= 2
order by series_number, batch_size
