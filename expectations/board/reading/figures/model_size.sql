-- Minimum-energy configurations in one precision, one task and one family, on the GPU model with most
-- models of it.
with models as (
    {{ model_size_models | indent(4) }}
)

select
    task,
    family,
    gpu_model,
    nickname,
    parameter_use,
    total_params_billions,
    activated_params_billions,
    num_gpus,
    batch_size,
    energy_per_output_joules as energy_per_token_joules
from models
order by activated_params_billions
