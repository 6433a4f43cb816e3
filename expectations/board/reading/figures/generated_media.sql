-- Minimum-energy configuration of each image and video model on each GPU model, at the model's usual steps,
-- size and frames. The GPU model that most models were measured on is drawn first.
with gpus as (
    {{ diffusion_gpu_models | indent(4) }}
),

media as (
    {{ diffusion_usual | indent(4) }}
)

select
    gpus.choice_number,
    media.task,
    media.nickname,
    media.gpu_model,
    media.num_gpus,
    media.batch_size,
    media.total_params_billions,
    media.inference_steps,
    media.height,
    media.width,
    media.num_frames,
    media.energy_per_output_joules
from media
inner join gpus on media.gpu_model = gpus.gpu_model
qualify
    row_number() over (
        partition by media.gpu_model, media.task, media.model_id order by media.energy_per_output_joules
    ) = 1
order by gpus.choice_number, media.task, media.energy_per_output_joules
