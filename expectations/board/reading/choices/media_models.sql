-- The least-energy configuration of each model of images or videos at its usual steps, size and frames,
-- on the GPU model with most of them.
-- computed: work per item, pixels times steps.
with featured as (
    {{ gpu_with_most_diffusion_models | indent(4) }}
),

media as (
    {{ diffusion_usual | indent(4) }}
)

select
    *,
    pixels_per_output * inference_steps as computed
from media
where gpu_model in (select featured.gpu_model from featured)
qualify row_number() over (partition by task, model_id order by energy_per_output_joules) = 1
