-- Energy per token against text, same GPU model and number of GPUs, over all pairs on the GPU model that
-- most models were
-- measured on.
with featured as (
    {{ gpu_with_most_models | indent(4) }}
)

select
    any_value(gpu_model) as gpu_model,
    min(energy_per_token_ratio) filter (modality = 'image') as image_low,
    max(energy_per_token_ratio) filter (modality = 'image') as image_high,
    count(*) filter (modality = 'image') as image_pairs,
    min(energy_per_token_ratio) filter (modality = 'video') as video_low,
    max(energy_per_token_ratio) filter (modality = 'video') as video_high,
    count(*) filter (modality = 'video') as video_pairs
from marts.modality_comparison
where
    data_source = {{ data_source }}
    and scope = 'gpu-count'
    and gpu_model in (select featured.gpu_model from featured)
having count(*) > 0
