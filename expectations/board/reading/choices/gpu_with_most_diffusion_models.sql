-- The first of these GPU models.
with gpus as (
    {{ diffusion_gpu_models | indent(4) }}
)

select gpu_model
from gpus
where choice_number = 1
