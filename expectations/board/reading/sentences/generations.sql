-- All latency ceilings together, one row per kind of output.
with featured as (
    {{ gpu_models_with_most_comparisons | indent(4) }}
)

select
    new_gpu_model,
    old_gpu_model,
    case
        when task in ('gpqa', 'lm-arena-chat') then 'Text (Problem Solving, Text Conversation)'
        when task = 'text-to-image' then 'Images'
        when task = 'text-to-video' then 'Videos'
        when architecture = 'mllm' then 'Questions on images, video and audio'
        else 'Code Infilling'
    end as kind,
    count(*) as comparisons,
    count(*) filter (winner = new_gpu_model) as wins,
    median(energy_reduction) as median_reduction,
    min(energy_reduction) as lowest,
    max(energy_reduction) as highest,
    count(*) filter (winner = old_gpu_model and not old_batch_size_measured_on_new) as lost_unmeasured
from marts.gpu_generation_comparison
where
    data_source = {{ data_source }}
    and (new_gpu_model, old_gpu_model) in (
        select (featured.new_gpu_model, featured.old_gpu_model) from featured
    )
group by all
order by comparisons desc, kind asc, new_gpu_model asc, old_gpu_model asc
