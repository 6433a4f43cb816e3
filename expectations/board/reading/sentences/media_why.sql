-- Pairs in which the model with fewer parameters takes more energy, and does more work per item: largest
-- gap first.
with models as (
    {{ media_models | indent(4) }}
)

select
    smaller_model.task,
    smaller_model.nickname as smaller,
    larger_model.nickname as larger,
    smaller_model.total_params_billions as smaller_params,
    larger_model.total_params_billions as larger_params,
    smaller_model.energy_per_output_joules as smaller_joules,
    larger_model.energy_per_output_joules as larger_joules,
    smaller_model.inference_steps as smaller_steps,
    larger_model.inference_steps as larger_steps,
    smaller_model.width || 'x' || smaller_model.height as smaller_size,
    larger_model.width || 'x' || larger_model.height as larger_size,
    smaller_model.num_frames as smaller_frames,
    larger_model.num_frames as larger_frames
from models as smaller_model
inner join models as larger_model
    on
        smaller_model.task = larger_model.task
        and smaller_model.total_params_billions < larger_model.total_params_billions
        and smaller_model.energy_per_output_joules > larger_model.energy_per_output_joules
        and smaller_model.computed > larger_model.computed
qualify
    row_number() over (
        partition by smaller_model.task
        order by
            larger_model.total_params_billions / smaller_model.total_params_billions desc,
            smaller_model.nickname,
            larger_model.nickname asc
    ) = 1
order by smaller_model.task
