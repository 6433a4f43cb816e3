-- Minimum-energy configuration of each image and video model on the GPU model that most models were
-- measured on.
with featured as (
    {{ gpu_with_most_diffusion_models | indent(4) }}
)

select
    task,
    nickname,
    gpu_model,
    num_gpus,
    batch_size,
    total_params_billions,
    inference_steps,
    height,
    width,
    num_frames,
    energy_per_output_joules
from marts.diffusion_parameters
where data_source = {{ data_source }} and gpu_model in (select featured.gpu_model from featured)
qualify row_number() over (partition by task, model_id order by energy_per_output_joules) = 1
order by task, energy_per_output_joules
