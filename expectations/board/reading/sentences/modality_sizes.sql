-- The pair of siblings in the right panel: batch size, KV-cache use and preparation of each side's best
-- configuration.
with bars as (
    {{ modality_bars | indent(4) }}
)

select
    any_value(nickname) as nickname,
    any_value(text_nickname) as text_nickname,
    any_value(gpu_model) as gpu_model,
    any_value(num_gpus) as num_gpus,
    max(batch_size) filter (modality = 'text') as text_batch_size,
    max(batch_size) filter (modality = 'image') as image_batch_size,
    max(batch_size) filter (modality = 'video') as video_batch_size,
    max(mean_kv_cache_usage) filter (modality = 'text') as text_usage,
    max(mean_kv_cache_usage) filter (modality = 'image') as image_usage,
    max(mean_kv_cache_usage) filter (modality = 'video') as video_usage,
    max(mean_preprocessing_ms) filter (modality = 'image') as image_preprocessing_ms,
    max(mean_preprocessing_ms) filter (modality = 'video') as video_preprocessing_ms
from bars
where is_case and choice_number = 1
having text_batch_size is not null and image_batch_size is not null
