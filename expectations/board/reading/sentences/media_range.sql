-- The models with least and most energy per item, on the GPU model that most models were measured on, each at
-- its usual steps, size and frames.
with featured as (
    {{ gpu_with_most_diffusion_models | indent(4) }}
),

media as (
    {{ diffusion_usual | indent(4) }}
)

select
    any_value(gpu_model) as gpu_model,
    min(energy_per_output_joules) filter (task = 'text-to-image') as image_low,
    max(energy_per_output_joules) filter (task = 'text-to-image') as image_high,
    image_high / image_low as image_ratio,
    arg_min(nickname, energy_per_output_joules) filter (task = 'text-to-image') as image_least,
    arg_max(nickname, energy_per_output_joules) filter (task = 'text-to-image') as image_most,
    min(energy_per_output_joules) filter (task = 'text-to-video') as video_low,
    max(energy_per_output_joules) filter (task = 'text-to-video') as video_high,
    arg_min(nickname, energy_per_output_joules) filter (task = 'text-to-video') as video_least,
    arg_max(nickname, energy_per_output_joules) filter (task = 'text-to-video') as video_most
from media
where gpu_model in (select featured.gpu_model from featured)
having image_low is not null
